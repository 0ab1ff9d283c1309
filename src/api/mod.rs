//! Floor 7, the REST API.
