//! Floor 2, the channels. To add one: write its file, and add its line to `CHANNELS`.
