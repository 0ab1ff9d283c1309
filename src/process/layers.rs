//! Layers of a graph: every node below the ones that lead to it, as far as the loops allow.

/// The layer of each node, from 0, when `next` holds the nodes each leads to. The longest way from the start
/// counts; a way back up, which closes a loop, does not.
pub fn layers(next: &[Vec<usize>]) -> Vec<usize> {
    let order = order(next);
    let mut place = vec![0; next.len()];
    for (at, node) in order.iter().enumerate() {
        place[*node] = at;
    }
    let mut layers = vec![0; next.len()];
    for node in order {
        for to in next[node].iter().filter(|to| place[**to] > place[node]) {
            layers[*to] = layers[*to].max(layers[node] + 1);
        }
    }
    layers
}

/// The nodes so that each stands before those it leads to, but for the ways that close loops: a depth-first
/// search, read from its end. By a list and not by recursion: a process may be a chain of a thousand nodes.
fn order(next: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; next.len()];
    let mut order = Vec::new();
    for root in 0..next.len() {
        let mut path = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((node, way)) = path.pop() {
            match next[node].get(way) {
                None => order.push(node),
                Some(to) => {
                    path.push((node, way + 1));
                    if !std::mem::replace(&mut seen[*to], true) {
                        path.push((*to, 0));
                    }
                }
            }
        }
    }
    order.reverse();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_way_counts_and_a_loop_does_not() {
        assert_eq!(layers(&[vec![1, 3], vec![2], vec![0, 3], vec![]]), [0, 1, 2, 3]);
        assert_eq!(layers(&[vec![0]]), [0]);
        assert_eq!(layers(&[]), [] as [usize; 0]);
        let chain: Vec<Vec<usize>> = (0..1_000).map(|at| vec![(at + 1) % 1_000]).collect();
        assert_eq!(layers(&chain)[999], 999);
    }
}
