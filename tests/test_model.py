"""The forms of the key, and of an address."""

import base64

import pytest

from interakt_loader.model import PLAIN_ADDRESS, address, authorization, looks_encoded_again

KEY = "tHeKeY-0123_abc"
SECRET = base64.b64encode(f"{KEY}:".encode()).decode()


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(SECRET, id="the dashboard's Secret Key"),
        pytest.param(KEY, id="decoded, without the colon, as the vendor's SDK wants it"),
        pytest.param(f"{KEY}:", id="decoded, with the colon"),
        pytest.param(f"Basic {SECRET}", id="pasted with its prefix"),
        pytest.param(f"basic {KEY}", id="a prefix before the decoded one"),
        pytest.param(f"  {SECRET}\n", id="with the newline of a file"),
        pytest.param(base64.b64encode(SECRET.encode()).decode(), id="encoded twice"),
        pytest.param(base64.b64encode(f"{SECRET}:".encode()).decode(), id="encoded twice by a client"),
    ],
)
def test_every_form_of_the_key_gives_the_same_header(given: str) -> None:
    """Whatever form a person has, the API gets `Basic <Secret Key>`."""
    assert authorization(given) == f"Basic {SECRET}"


def test_a_key_that_happens_to_look_like_base64_is_taken_as_it_is() -> None:
    """`abcdefgh` is valid base64 of something. Only base64 of `…:` is a Secret Key."""
    assert authorization("abcdefgh") == "Basic " + base64.b64encode(b"abcdefgh:").decode()


@pytest.mark.parametrize(
    ("given", "looks"),
    [
        (SECRET, False),
        (KEY, False),
        (f"Basic {SECRET}", False),
        ("abcdefgh", False),
        ("k" * 43, False),
        ("abcdefgh" * 4, False),
        (base64.b64encode(SECRET.encode()).decode(), True),
        (base64.b64encode(f"{SECRET}:".encode()).decode(), True),
        (base64.b64encode(KEY.encode()).decode(), True),
        (base64.b64encode(f"Basic {SECRET}".encode()).decode(), True),
    ],
)
def test_a_key_that_was_encoded_again_looks_like_it(given: str, looks: bool) -> None:
    """A key that is refused is most often one of these. Neither of the two forms that people have looks like it."""
    assert looks_encoded_again(given) is looks


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.interakt.ai",
        "https://api.interakt.ai:443/",
        "https://api.interakt.ai:80/v1_2/a-b/",
        "http://127.0.0.1:80",
        "http://localhost:8443/x",
        "http://localhost:64999",
    ],
)
def test_a_plain_address_is_written_as_urllib3_reads_it(base_url: str) -> None:
    """An upper-case scheme makes the same address one that urllib3 reads."""
    assert PLAIN_ADDRESS.fullmatch(base_url)
    unusual = base_url.replace("http", "HTTP")
    assert not PLAIN_ADDRESS.fullmatch(unusual)
    assert address(base_url) == address(unusual)
