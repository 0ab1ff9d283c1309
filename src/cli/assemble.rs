//! Puts together what the engine works with, as it is configured: store, outside, turns, desk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::cli::config::{Config, StoreChoice};
use crate::cli::data::DataDir;
use crate::cli::priority::modest;
use crate::desk::channels::check;
use crate::desk::desk::DeskConfig;
use crate::engine::apart::Apart;
use crate::engine::births::Births;
use crate::engine::board::Board;
use crate::engine::edges::{Clock, Store, StoreError};
use crate::engine::in_flight::InFlight;
use crate::engine::registry::Registry;
use crate::engine::shelf::{Channel, Keyring};
use crate::engine::turns::Turns;
use crate::engine::witness::{Unwitnessed, Witness};
use crate::gate::connections::ConnectionLimits;
use crate::model::scope::Scope;
use crate::store::memory::Memory;
use crate::store::seal::Sealer;
use crate::store::sqlite::Sqlite;
use crate::world::clock::SystemClock;
use crate::world::world::{RealWorld, WorldConfig};

/// What the desk is told of the configuration. `files`: how many the program may open.
pub(super) fn desk_config(config: &Config, data: &DataDir, files: Option<u64>) -> Result<DeskConfig> {
    Ok(DeskConfig {
        processes: Some(config.processes.clone()),
        channels: channels(&config.channels)?,
        local_token: Some(data.token()?.to_string()),
        store: store_name(config).to_owned(),
        files_max: files,
        connections_max: ConnectionLimits::of_files(files).all,
        data: (config.store != StoreChoice::Memory).then(|| data.path().to_owned()),
    })
}

fn store_name(config: &Config) -> &'static str {
    match config.store {
        StoreChoice::Sqlite => "sqlite",
        StoreChoice::Memory => "memory",
    }
}

/// The store that is configured.
pub(super) fn open_store(config: &Config, data: &DataDir) -> Result<Arc<dyn Store>> {
    Ok(match config.store {
        StoreChoice::Memory => Arc::new(Memory::default()),
        StoreChoice::Sqlite => {
            data.refuse_lost_store()?;
            let sealer = Sealer::from_key(data.key(config.key.as_ref())?);
            let path = data.database();
            let opened = Sqlite::open(&path, sealer);
            let opened = opened.map_err(|error| unopened(&path, &error))?;
            data.store_opened();
            opened.keep_ballast();
            Arc::new(opened)
        }
    })
}

fn unopened(path: &Path, error: &StoreError) -> anyhow::Error {
    let hint = match error {
        StoreError::Lost(_) => {
            "; hint: nothing was changed; look whether the disk is there, has no errors and takes writes, \
             and start again"
        }
        StoreError::Corrupt(_) => "",
    };
    anyhow::anyhow!("`{}` cannot be opened: {error}{hint}", path.display())
}

/// The outside, behind the guard.
pub(super) fn world(config: &Config, keyring: &Arc<Keyring>) -> Result<Arc<RealWorld>> {
    let world = WorldConfig {
        allow_addresses: config.allow_addresses.clone(),
        oauth_hosts: config.oauth_hosts.clone(),
        digest: config.digest,
        host_limits: config.host_limits.clone(),
    };
    Ok(Arc::new(RealWorld::new(world, Arc::clone(keyring)).context("requests cannot be made")?))
}

/// What knows under which task the engine died. A store that does not last needs none.
pub(super) fn witness(config: &Config, data: &DataDir) -> Arc<dyn Witness> {
    if config.store == StoreChoice::Memory { Arc::new(Unwitnessed) } else { data.witness() }
}

/// What a runner works with.
pub(super) fn turns(
    config: &Config,
    store: Arc<dyn Store>,
    witness: Arc<dyn Witness>,
    world: Arc<RealWorld>,
    keyring: &Arc<Keyring>,
    address: SocketAddr,
) -> Turns {
    let public_url: Arc<str> = Arc::from(config.public_url(address));
    let (keyring, budget) = (Arc::clone(keyring), config.budget);
    let facts = move || {
        let mut scope = Scope::default();
        scope.budget = budget;
        scope.vars = keyring.vars();
        scope.secrets = keyring.names();
        scope.public_url = Arc::clone(&public_url);
        scope
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Turns {
        store,
        world,
        clock,
        registry: Arc::new(Registry::default()),
        board: Board::default(),
        facts: Arc::new(facts),
        births: Births::new(),
        in_flight: InFlight::default(),
        apart: Apart::new(modest),
        witness,
    }
}

/// The channels of the configuration file, as the engine has them.
fn channels(configured: &Map<String, Value>) -> Result<BTreeMap<String, Channel>> {
    let channel = |(name, value): (&String, &Value)| {
        let Value::Object(settings) = value else {
            bail!("channel `{name}` is no map; hint: write {{via: telegram, chat_id: 1234, token: …}}")
        };
        let mut config = settings.clone();
        let via = config.shift_remove("via");
        let Some(Value::String(via)) = via else {
            bail!("channel `{name}` has no `via`; hint: via: telegram")
        };
        if let Err(wrong) = check(&via, &config) {
            bail!("channel `{name}`: {wrong}");
        }
        Ok((name.clone(), Channel { via, config }))
    };
    configured.iter().map(channel).collect()
}
