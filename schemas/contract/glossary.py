"""What the fields of facts mean, said once: a name means the same in every fact that has it.

A docstring beneath a field in `schemas/events.py` wins over what is here, and so does its `Field(description=...)`.
"""

WORDS = {
    # The envelope, in every fact.
    "event_id": "The fact's identity: said twice, it is the same fact under the same id. Also the header `ce_id`.",
    "type": "What kind of fact this is: the topic's name.",
    "v": "The version of this kind of fact. A reader that knows no such version must stop.",
    "occurred_at": "When it happened, by the clock of who says it. For people; never compare it.",
    "job_id": "The job that the fact is about. Also the record's key.",
    "tenant": "Whose job it is. A provider's callback says `-`: it does not know.",
    "revision": "Which asking of the job this is about: 1, and one more for each retry that was asked for.",
    # The request.
    "model": "The model's name, as the request gave it.",
    "prompt": "What to make, in words.",
    "num_outputs": "How many outputs were asked for.",
    "seed": "Makes models that obey it repeat themselves.",
    "output_format": "The file format that was asked for, such as `webp`.",
    "input": "More that the model takes; passed on as it is.",
    "metadata": "The submitter's own labels, given back unchanged.",
    "deadline": "When the job stops paying for outputs that are not begun.",
    # Work.
    "index": "Which output this is, counted from 0.",
    "generation": "Which provider call of the revision's plan this is, counted from 0.",
    "generation_id": "The provider call, by its id.",
    "attempt": "Which try of this work it was, counted from 1.",
    "provider": "Who was asked, such as `replicate`.",
    "provider_id": "The call's id at the provider.",
    "provider_status": "What the provider calls its state. Not to be believed: a callback only says to look.",
    "cost_units": "What the call counts towards the provider's daily cap.",
    "final": "Whether nothing more is tried in this revision.",
    "next_try_at": "When it is tried again; left out when it is not.",
    "held": "Whether it waits for somebody to decide; otherwise it is still looked for.",
    "cause": "Why, in words for people.",
    "renewal": "0 where the output was made; n for the n-th new place of the same output.",
    "code": "Why, as one word of the documented list.",
    "message": "Why, in words for people.",
    "reason": "On request, or because they were old enough.",
    "start": "`generate` pays for the output again; `store` only stores again what was made.",
    # Files.
    "source": "Where the output lies until it is stored.",
    "kind": "What kind of source this is.",
    "url": "Where the output can be fetched.",
    "expires_at": "When the provider takes it down, where it says so.",
    "key": "The object's key in the bucket.",
    "sha256": "SHA-256 of the bytes, in hex.",
    "size": "Bytes.",
    "content_type": "Media type, read from the bytes.",
    "width": "Pixels.",
    "height": "Pixels.",
    "duration_ms": "Length of a sound or video, in milliseconds.",
    # The end.
    "status": "How it ended.",
    "stored": "How many outputs are in the bucket.",
    "failed": "How many are not.",
    "error": "Why it is not all there, where something failed.",
    "requested_at": "When the job was accepted.",
    "completed_at": "When its last output was over.",
}

ELSEWHERE = {
    "Redo.index": "Which output is done again, counted from 0.",
    "GenerationSubmitted.outputs": "The outputs that the call makes, by index.",
    "GenerationFailed.outputs": "The outputs that the call was to make, by index.",
    "GenerationDoubted.outputs": "The outputs that wait for the answer, by index.",
    "RetryRequested.outputs": "What is done again; an output that is not named keeps its last revision.",
    "JobCompleted.outputs": "Every output of the job, each in its latest revision.",
    "CompletedOutput.revision": "The revision that the output is from.",
    "CompletedOutput.key": "Its key in the bucket, when it is there.",
}
"""Where one name needs other words, or words of its own in each fact: by class and field."""


def words_for(owner: str, field: str) -> str | None:
    """What `field` of the class `owner` means, if anybody has said it."""
    return ELSEWHERE.get(f"{owner}.{field}") or WORDS.get(field)
