"""Who says what, and what of it is meant for others."""

from schemas import events

SERVICES = {
    "gateway": "Takes requests over HTTP and answers how jobs go.",
    "generator": "Asks providers to make outputs, and pays for each once.",
    "uploader": "Brings outputs into the bucket.",
    "ledger": "Hears everything, keeps what people read, and says when a job is over.",
}

SAID_BY: dict[str, tuple[str, ...]] = {
    events.JobRequested.topic: ("gateway",),
    events.CancelRequested.topic: ("gateway",),
    events.RetryRequested.topic: ("gateway",),
    events.ProviderCalledBack.topic: ("gateway",),
    events.GenerationSubmitted.topic: ("generator",),
    events.GenerationFailed.topic: ("generator",),
    events.GenerationDoubted.topic: ("generator",),
    events.MediaGenerated.topic: ("generator",),
    events.MediaStored.topic: ("uploader",),
    events.UploadFailed.topic: ("uploader",),
    events.JobCompleted.topic: ("ledger",),
    events.DataRemoved.topic: ("gateway", "ledger"),
}
"""The services that say a fact, by its topic."""

PUBLIC = (events.JobCompleted.topic, events.DataRemoved.topic)
"""Meant for other systems: these never hold a prompt, an input or a URL that lets anybody in."""
