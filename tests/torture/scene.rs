//! [`Scene`]: a folder, the outside, clients that submit until they are acknowledged, and the engine's lives.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::torture::life::{Life, Start};
use crate::torture::outside::Outside;
use crate::torture::story::Story;

/// How many submit at once.
const CLIENTS: usize = 4;
/// An engine that is looked at so often, each time for a fifth of a second, acknowledges no more.
const LOOKS_MAX: u32 = 3_000;
/// Who keeps tokens.
pub(crate) const KEEPERS: [&str; 6] = ["strict1", "strict2", "strict3", "lenient1", "lenient2", "lenient3"];

/// Where the engine answers now: its base and its token; none while it is down.
type Door = Option<(String, String)>;

/// What the clients share.
struct Log {
    next: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
    more: Notify,
    stop: AtomicBool,
}

/// Waits for the end of this program, however it ends, and then leaves nothing running or mounted: it ends
/// what runs in the folder it is given.
const TIDY: &str = r#"trap "" HUP INT TERM
read -r _
for it in /proc/[0-9]*; do
  if [ "$(readlink "$it/cwd")" = "$0" ]; then kill -9 "${it#/proc/}"; fi
done
if [ -d "$0/disk" ]; then umount -l "$0/disk"; fi
rm -rf "$0""#;

/// Tidies up when it is dropped, or when nobody is left to drop it.
struct Tidy(Child);

impl Tidy {
    fn after(home: &Path) -> Tidy {
        let mut shell = Command::new("sh");
        shell.args(["-c", TIDY]).arg(home).current_dir("/").stdin(Stdio::piped());
        Tidy(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Tidy {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

/// Everything of one row.
pub(crate) struct Scene {
    _tidy: Tidy,
    dir: tempfile::TempDir,
    pub(crate) outside: Outside,
    pub(crate) story: Story,
    pub(crate) start: Start,
    pub(crate) client: Client,
    log: Arc<Log>,
    door: watch::Sender<Door>,
    clients: Vec<JoinHandle<()>>,
}

impl Scene {
    /// Nothing runs yet. `broken` is the promise that the engine breaks in all its lives.
    pub(crate) async fn new(seed: u64, broken: Option<&'static str>) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let tidy = Tidy::after(dir.path());
        let outside = Outside::start(&dir.path().join("ledger"), seed).await;
        let story = Story::new(seed);
        fs::create_dir(dir.path().join("processes")).unwrap();
        for (id, text) in story.texts(outside.address) {
            fs::write(dir.path().join(format!("processes/{id}.yaml")), text).unwrap();
        }
        let config = format!(
            "channels: {{ops: {{via: webhook, url: \"http://{}/tell\"}}}}\n\
             grouping: {{wait: 20ms, interval: 100ms}}\n",
            outside.address
        );
        fs::write(dir.path().join("beltline.yaml"), config).unwrap();
        let start = Start { broken, ..Start::at(dir.path()) };
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
        let log = Arc::new(Log {
            next: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            more: Notify::new(),
            stop: AtomicBool::new(false),
        });
        let (door, looks) = watch::channel(None);
        let submit = |_| tokio::spawn(submit(client.clone(), looks.clone(), Arc::clone(&log)));
        let clients = (0..CLIENTS).map(submit).collect();
        Scene { _tidy: tidy, dir, outside, story, start, client, log, door, clients }
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// A new life; fails if there is none.
    #[track_caller]
    pub(crate) fn live(&self) -> Life {
        let life = self.start.go().unwrap_or_else(|refusal| panic!("{:?}: {}", refusal.code, refusal.log));
        self.open(&life);
        life
    }

    /// The clients find this engine.
    pub(crate) fn open(&self, life: &Life) {
        self.door.send_replace(Some((life.base.clone(), life.token.clone())));
    }

    pub(crate) fn close(&self) {
        self.door.send_replace(None);
    }

    /// Waits until that many more are acknowledged, or the engine has ended by itself.
    pub(crate) async fn acknowledged(&self, more: usize, life: &mut Life) {
        let (goal, mut looks) = (self.count() + more, 0);
        while self.count() < goal && !life.has_ended() {
            looks += 1;
            assert!(looks < LOOKS_MAX, "nothing is acknowledged any more: {}", life.log());
            drop(tokio::time::timeout(Duration::from_millis(200), self.log.more.notified()).await);
        }
    }

    fn count(&self) -> usize {
        self.log.acknowledged.lock().unwrap().len()
    }

    pub(crate) fn all_acknowledged(&self) -> BTreeSet<u64> {
        self.log.acknowledged.lock().unwrap().clone()
    }

    /// No new orders; those that are not acknowledged yet are submitted until they are.
    pub(crate) async fn no_more(&mut self) {
        self.log.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.await.unwrap();
        }
    }

    /// The clients go away.
    pub(crate) fn no_more_at_all(&mut self) {
        for client in self.clients.drain(..) {
            client.abort();
        }
    }

    pub(crate) async fn get(&self, life: &Life, path: &str) -> Option<Value> {
        let call = self.client.get(format!("{}/api/v1/{path}", life.base)).bearer_auth(&life.token);
        let answer = call.send().await.ok()?;
        answer.status().is_success().then_some(answer.json().await.ok()?)
    }

    pub(crate) async fn post(&self, life: &Life, path: &str, body: &Value) -> Option<u16> {
        let call = self.client.post(format!("{}/api/v1/{path}", life.base)).bearer_auth(&life.token);
        Some(call.json(body).send().await.ok()?.status().as_u16())
    }

    /// Begins to keep tokens, and authorizes again where a grant is over, as a person would.
    pub(crate) async fn authorize(&self, life: &Life) {
        for name in KEEPERS {
            self.keep(life, name).await;
        }
    }

    /// The same for one.
    pub(crate) async fn keep(&self, life: &Life, name: &str) {
        if self.get(life, &format!("processes/keeper/tasks/{name}")).await.is_some() {
            return self.heal(life, name).await;
        }
        let given = json!({"refresh_token": self.outside.book.families.lock().unwrap().grant(name)});
        let status = self.post(life, "processes/keeper/tasks", &json!({"ref": name, "params": given})).await;
        assert!(status.is_some_and(|it| it < 300), "{name}: {status:?} {}", life.log());
    }

    /// Does what a person would: authorizes again if the grant is over, retries what was set aside because
    /// the engine died twice under it. An engine that dies meanwhile is asked again in its next life.
    pub(crate) async fn heal(&self, life: &Life, name: &str) {
        let path = format!("processes/keeper/tasks/{name}");
        let Some(task) = self.get(life, &path).await else { return };
        let (order, body) = if task["node"] == "over" {
            let pair = self.outside.book.families.lock().unwrap().grant(name);
            ("modify", json!({"params": {"refresh_token": pair}}))
        } else if task["fault"]["code"] == "engine_error" {
            ("retry", json!({}))
        } else {
            return;
        };
        let _taken = self.post(life, &format!("{path}/{order}"), &body).await;
    }

    /// What is not as it must be with what that keeper holds: one whole pair.
    pub(crate) async fn halves(&self, life: &Life, name: &str) -> Vec<String> {
        let Some(task) = self.get(life, &format!("processes/keeper/tasks/{name}")).await else {
            return vec![format!("keeper {name} is not there")];
        };
        let number = |param: &str| {
            let value = task["params"][param].as_str().unwrap_or_default();
            value.rsplit('-').next().unwrap_or_default().to_owned()
        };
        let (access, refresh) = (number("access_token"), number("refresh_token"));
        let mut wrong = Vec::new();
        // The first refresh token of a grant comes alone, and grants are a thousand apart.
        let grant = |number: &str| number.parse::<u64>().map_or(0, |it| it / 1_000);
        let is_granted = grant(&refresh) > grant(&access) || access.is_empty();
        if access != refresh && !is_granted {
            wrong.push(format!("keeper {name} has half a pair: {access} and {refresh}"));
        }
        if task["due"].is_null() && task["node"] != "over" && task["state"] != "doing" {
            wrong.push(format!("keeper {name} waits for nothing on {}", task["node"]));
        }
        wrong
    }
}

/// Submits one after the other, each until it is acknowledged.
async fn submit(client: Client, mut door: watch::Receiver<Door>, log: Arc<Log>) {
    while !log.stop.load(Ordering::Relaxed) {
        let number = log.next.fetch_add(1, Ordering::Relaxed);
        let body = json!({"ref": format!("o{number}"), "params": {"number": number}});
        loop {
            let Some((base, token)) = door.borrow_and_update().clone() else {
                if door.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let url = format!("{base}/api/v1/processes/{}/tasks", Story::process(number));
            let call = client.post(url).bearer_auth(&token).header("idempotency-key", format!("o{number}"));
            match call.json(&body).send().await.map(|answer| answer.status().as_u16()) {
                Ok(200 | 201) => break,
                // The engine is gone, or cannot take it now: it says so, and is asked again.
                Ok(500..=599) | Err(_) => {
                    drop(tokio::time::timeout(Duration::from_millis(100), door.changed()).await);
                }
                Ok(status) => panic!("o{number}: {status}"),
            }
        }
        log.acknowledged.lock().unwrap().insert(number);
        log.more.notify_one();
    }
}
