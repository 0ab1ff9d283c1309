//! Where secrets go: what is said of it by looking at the processes alone, and what is seen when they run.

mod canaries;
mod made;
mod proof;
mod world;
