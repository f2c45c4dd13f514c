"""Quality control: checks of headers, voxels, drawings and the release, metrics, the ledger, protocols, inspection."""
