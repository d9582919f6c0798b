"""Looks for secrets in files, in every form that one could have there, and proves each time that it would find one."""

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

PASSAGE = 24
"""Characters in a row of a key that give it away."""

PLANTED = "planted.control"


class Crawl:
    """The secrets of one test; keys are looked for in passages too, so that a part of one is found."""

    def __init__(self, secrets: Iterable[str], pems: Iterable[str] = (), signatures: Iterable[str] = ()) -> None:
        whole = {secret for secret in secrets if secret}
        lines = {line for pem in pems for line in pem.splitlines() if line and not line.startswith("-----")}
        assert all(len(secret) >= 10 for secret in whole), "what is too short is found everywhere"
        self.patterns: dict[bytes, str] = {}
        for text in sorted(whole | lines):
            for form in forms(text):
                self.patterns[form] = f"{text[:6]}..."
            for passage in passages(text):
                self.patterns[passage.encode()] = f"a passage of {text[:6]}..."
        for signature in signatures:
            self.patterns |= dict.fromkeys(spellings(signature), f"the signature {signature[:6]}...")

    def findings(self, folder: Path, *, leave_out: Iterable[str] = ()) -> list[str]:
        """Each file below the folder that holds a secret, with the first characters of it."""
        files = {file: file.read_bytes() for file in _files(folder, {*leave_out})}
        self._check_itself(folder)
        everything = b"\0".join(files.values())
        there = [pattern for pattern in self.patterns if pattern in everything]
        return sorted(
            {
                f"{file.relative_to(folder)}: {self.patterns[pattern]}"
                for pattern in there
                for file, content in files.items()
                if pattern in content
            }
        )

    def _check_itself(self, folder: Path) -> None:
        """Plant every pattern in a file like the others: what is not found there would not be found anywhere."""
        control = folder / PLANTED
        control.write_bytes(b"".join(b"\x00and then %b was said\n" % pattern for pattern in self.patterns))
        try:
            content = next(file.read_bytes() for file in _files(folder, set()) if file.name == PLANTED)
            missing = [name for pattern, name in self.patterns.items() if pattern not in content]
            assert not missing, f"the control is not found: {missing[:3]}"
        finally:
            control.unlink()


def spellings(text: str) -> set[bytes]:
    """The text as it is and percent-encoded."""
    return {form.encode() for form in (text, unquote(text), quote(text, safe=""), quote_plus(text), quote(text))}


def forms(text: str) -> Iterator[bytes]:
    """The text as it is, percent-encoded and in base64, wherever in a longer text it may have begun."""
    yield from spellings(text)
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + text.encode()).decode()
        # What the neighbours take part in is cut off at both ends.
        kept = coded[4 if before else 0 : len(coded) // 4 * 4 - 4]
        if len(kept) >= 12:
            yield kept.encode()
            yield kept.replace("+", "-").replace("/", "_").encode()
            yield quote(kept, safe="").encode()


def passages(text: str) -> Iterator[str]:
    """Every part of so many characters."""
    yield from (text[at : at + PASSAGE] for at in range(len(text) - PASSAGE + 1))


def signatures_in(heads: Iterable[str]) -> set[str]:
    """The signatures of requests, by their heads."""
    return {found for head in heads for found in re.findall(r"signature=([^&\s]+)", head)}


def _files(folder: Path, leave_out: set[str]) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not leave_out.intersection(file.relative_to(folder).parts)
    ]
