"""The commands of `darkroom`, by what they need: what runs in a container imports nothing of the local stack."""
