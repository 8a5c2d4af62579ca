"""What crosses a process boundary: facts and their topics, the job as people read it, the model catalogue."""
