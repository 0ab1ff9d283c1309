//! Floor 6, what performs: HTTP behind the address guard, mail, the channels.
