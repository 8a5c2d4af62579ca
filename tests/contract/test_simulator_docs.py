"""What `docs/simulators.md` shows can be copied."""

import json
import re
from pathlib import Path
from typing import Any, get_args

from darkroom.simulators.cog.faults import COG_FAULTS, AnyCogFault
from darkroom.simulators.replicate.faults import FAULTS, AnyFault

PAGE = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text()
EXAMPLES = [json.loads(found) for found in re.findall(r"\| `(\{\"fault\".*\})` \|", PAGE)]
COGS_OWN = {"busy", "unhealthy"}


def test_every_fault_has_an_example_that_is_taken() -> None:
    kinds = {kind for union in (AnyFault, AnyCogFault) for kind in get_args(get_args(union)[0])}

    FAULTS.validate_python([one for one in EXAMPLES if one["fault"] not in COGS_OWN])
    COG_FAULTS.validate_python([one for one in EXAMPLES if one["fault"] in COGS_OWN])

    assert sorted(one["fault"] for one in EXAMPLES) == sorted(kind.model_fields["fault"].default for kind in kinds)


def test_every_fault_is_explained_in_the_words_of_its_class() -> None:
    for union in (AnyFault, AnyCogFault):
        for kind in get_args(get_args(union)[0]):
            assert " ".join((kind.__doc__ or "").split()) in PAGE


async def test_the_example_of_a_test_passes() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page

    await names["test_a_lost_answer_is_paid_for"]()
