"""The log as a public interface: what each fact's records look like, and which changes a reader would notice."""
