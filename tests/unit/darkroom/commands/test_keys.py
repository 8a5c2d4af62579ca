"""What the command line says of keys is what the gateway knows."""

import pytest

from darkroom.commands.keys import SCOPES, WORD
from darkroom.commands.keys import _word as word
from darkroom.commands.welcome import welcome
from darkroom.steps import WrongSettingError
from gateway.callers import Scope


def test_the_command_gives_every_scope_that_there_is() -> None:
    assert tuple(Scope) == SCOPES


@pytest.mark.parametrize(("environ", "said"), [({}, "live"), ({WORD: ""}, "live"), ({WORD: "test"}, "test")])
def test_a_key_says_where_it_is_good_for(environ: dict[str, str], said: str) -> None:
    assert word(environ) == said


def test_a_word_that_makes_no_key_is_refused_by_the_name_of_its_setting() -> None:
    with pytest.raises(WrongSettingError, match="GATEWAY_ENVIRONMENT is 'Prod_1': give 1 to 12 small letters"):
        word({WORD: "Prod_1"})


@pytest.mark.parametrize("keys", [True, False])
def test_the_call_to_paste_brings_a_key_where_one_is_wanted(keys: bool) -> None:
    said = welcome({"gateway": "http://here"}, "home", 1.0, keys=keys)

    assert ('-H "Authorization: Bearer KEY" \\' in said) is keys
    assert ("darkroom keys create" in said) is keys
