//! Floor 6, a simulated Bitrix24 and the providers.
