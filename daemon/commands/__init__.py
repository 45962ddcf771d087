"""The commands of `hikazed` that talk to a daemon or work on a data folder, and how a person sees them."""
