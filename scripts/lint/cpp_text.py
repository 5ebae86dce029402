"""C++ as a list of tokens, without what only looks like code: comments, strings, preprocessor lines.

Exact enough for questions about the shape of our own code; it expands no macro and looks up no name.
"""

import re
from typing import NamedTuple


class Token(NamedTuple):
    text: str
    line: int


# In this order: what stands first wins where several fit.
_KINDS = {
    "directive": r"(?m:^)[ \t]*\#[ \t]*(?P<word>\w*)(?:\\\n|//[^\n]*|/\*(?s:.*?)\*/|[^\n])*",
    "space": r"\s+",
    "comment": r"//(?:\\\n|[^\n])*|/\*(?s:.*?)\*/",
    "raw": r'(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\((?s:.*?)\)(?P=mark)"',
    "string": r'(?:u8|[uUL])?"(?:[^"\\\n]|\\(?s:.))*"',
    "character": r"(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+'",
    # a digit separator (1'000) belongs to its number, and is no quote
    "number": r"\.?\d(?:[eEpP][+-]|'[0-9a-zA-Z]|[\w.])*",
    "name": r"[A-Za-z_]\w*",
    # '>' always alone: most of ours close a template's list, also two at once
    "symbol": r"::|->\*?|<=>|<=|\.\.\.|&&|\|\||==|!=|\+\+|--|[+*/%^&|!-]=|<<=?|.",
}
_PIECE = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))


class _Branches:
    """Of #if, #elif, #else only the first branch is code here, so that the braces fit."""

    def __init__(self):
        self.taken = []

    def see(self, directive):
        if directive in ("if", "ifdef", "ifndef"):
            self.taken.append(True)
        elif directive in ("else", "elif") and self.taken:
            self.taken[-1] = False
        elif directive == "endif" and self.taken:
            self.taken.pop()

    def are_code(self):
        return all(self.taken)


def _pieces(text):
    """(kind, text, line, match) of everything in a file, spaces left out."""
    line = 1
    for match in _PIECE.finditer(text):
        kind, piece = match.lastgroup, match[0]
        if kind != "space":
            yield kind, piece, line, match
        line += piece.count("\n")


def tokens_of(text):
    """All tokens of a file. A string is the token '""', a character the token "''"."""
    result = []
    branches = _Branches()
    for kind, piece, line, match in _pieces(text):
        if kind == "directive":
            branches.see(match["word"])
        elif kind != "comment" and branches.are_code():
            shown = {"raw": '""', "string": '""', "character": "''"}.get(kind, piece)
            result.append(Token(shown, line))
    return result


def comments_and_names(text):
    """(line, text) of each line of a comment and of each name, in no order: what people wrote for people, and no
    string."""
    for kind, piece, line, _ in _pieces(text):
        if kind in ("comment", "directive"):
            yield from enumerate(piece.split("\n"), line)
        elif kind == "name":
            yield line, piece
