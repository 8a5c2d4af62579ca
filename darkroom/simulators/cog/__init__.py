"""A container that speaks Cog's HTTP API, simulated: https://github.com/replicate/cog/blob/main/docs/http.md."""
