//! Floor 6, what keeps. To add a store: write its file, and add its line to the contract's list.
