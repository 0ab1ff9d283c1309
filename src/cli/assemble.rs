//! Puts together what the engine works with, as it is configured: store, outside, batch processor, service.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::cli::config::{Config, StoreChoice};
use crate::cli::data::DataDir;
use crate::cli::priority::modest;
use crate::engine::apart::Apart;
use crate::engine::batch::BatchProcessor;
use crate::engine::ids::IdGenerator;
use crate::engine::in_flight::InFlight;
use crate::engine::ports::{Clock, Store, StoreError};
use crate::engine::registry::Registry;
use crate::engine::resources::{ChannelConfig, ResourceCache};
use crate::engine::runtime_state::RuntimeState;
use crate::engine::witness::{Unwitnessed, Witness};
use crate::middleware::connections::ConnectionLimits;
use crate::model::scope::ReadSet;
use crate::outbound::clock::SystemClock;
use crate::outbound::outbound::{OutboundClient, OutboundConfig};
use crate::service::channels::check;
use crate::service::service::ServiceConfig;
use crate::store::memory::Memory;
use crate::store::seal::Sealer;
use crate::store::sqlite::Sqlite;

/// What the service is told of the configuration. `files`: how many the program may open.
pub(super) fn service_config(config: &Config, data: &DataDir, files: Option<u64>) -> Result<ServiceConfig> {
    Ok(ServiceConfig {
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
pub(super) fn world(config: &Config, resources: &Arc<ResourceCache>) -> Result<Arc<OutboundClient>> {
    let world = OutboundConfig {
        allow_addresses: config.allow_addresses.clone(),
        oauth_hosts: config.oauth_hosts.clone(),
        grouping: config.grouping,
        host_limits: config.host_limits.clone(),
    };
    Ok(Arc::new(OutboundClient::new(world, Arc::clone(resources)).context("requests cannot be made")?))
}

/// What knows under which task the engine died. A store that does not last needs none.
pub(super) fn witness(config: &Config, data: &DataDir) -> Arc<dyn Witness> {
    if config.store == StoreChoice::Memory { Arc::new(Unwitnessed) } else { data.witness() }
}

/// What a runner works with.
pub(super) fn processor(
    config: &Config,
    store: Arc<dyn Store>,
    witness: Arc<dyn Witness>,
    world: Arc<OutboundClient>,
    resources: &Arc<ResourceCache>,
    address: SocketAddr,
) -> BatchProcessor {
    let public_url: Arc<str> = Arc::from(config.public_url(address));
    let (resources, budget) = (Arc::clone(resources), config.budget);
    let facts = move || {
        let mut scope = ReadSet::default();
        scope.budget = budget;
        scope.vars = resources.vars();
        scope.secrets = resources.names();
        scope.public_url = Arc::clone(&public_url);
        scope
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    BatchProcessor {
        store,
        world,
        clock,
        registry: Arc::new(Registry::default()),
        state: RuntimeState::default(),
        facts: Arc::new(facts),
        ids: IdGenerator::new(),
        in_flight: InFlight::default(),
        apart: Apart::new(modest),
        witness,
    }
}

/// The channels of the configuration file, as the engine has them.
fn channels(configured: &Map<String, Value>) -> Result<BTreeMap<String, ChannelConfig>> {
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
        Ok((name.clone(), ChannelConfig { via, config }))
    };
    configured.iter().map(channel).collect()
}
