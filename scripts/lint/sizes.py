"""How long functions and classes are, and how many fields a class has."""

import re
from typing import NamedTuple

from cpp_text import tokens_of

MAX_FUNCTION_LINES = 70
MAX_CLASS_LINES = 300
MAX_FIELDS = 20

# Those that were longer when this check came, with what they had then; none may grow.
EXCEPTIONS = {
}

CLASS_WORDS = {"class", "struct", "union"}
ACCESS_WORDS = {"public", "protected", "private"}
PAIRS = {"(": ")", "[": "]", "{": "}"}
NO_FIELD = {"using", "typedef", "friend", "static", "template", "static_assert", "operator", "extern"}
NAME = re.compile(r"[A-Za-z_]\w*$")
ANNOTATION = re.compile(r"([A-Z][A-Z_]{3,}|alignas)$")


class Function(NamedTuple):
    name: str
    line: int
    lines: int


class Class(NamedTuple):
    name: str
    line: int
    lines: int
    fields: int


def _closings(tokens):
    """Position of the closing token for each opening one."""
    result, open_positions = {}, []
    for position, token in enumerate(tokens):
        if token.text in PAIRS:
            open_positions.append(position)
        elif token.text in PAIRS.values() and open_positions:
            result[open_positions.pop()] = position
    # what an unfinished file leaves open ends with it
    for position in open_positions:
        result[position] = len(tokens) - 1
    return result


class _Scanner:
    def __init__(self, text):
        self.tokens = tokens_of(text)
        self.closings = _closings(self.tokens)
        self.functions = []
        self.classes = []

    def text(self, position):
        return self.tokens[position].text if 0 <= position < len(self.tokens) else ""

    def skip_angles(self, position, end):
        """The position after a template's list that begins here; the position itself if none does."""
        depth, current = 0, position
        while current < end:
            text = self.text(current)
            if text in PAIRS:
                current = self.closings[current]
            elif text == "<":
                depth += 1
            elif text == ">":
                depth -= 1
                if depth == 0:
                    return current + 1
            elif text in (";", "}"):
                break
            current += 1
        return position

    def top_level(self, begin, end):
        """Positions of a declaration's tokens outside of brackets; an opening bracket stands for what is in it."""
        position = begin
        while position < end:
            text = self.text(position)
            yield position
            if text == "operator":
                position += 1
                while position < end and not NAME.match(self.text(position)) and self.text(position) != "(":
                    position += 1
                if self.text(position) == "(" and self.text(position - 1) == "operator":
                    position = self.closings[position] + 1
            elif text in PAIRS and position in self.closings:
                position = self.closings[position] + 1
            elif text == "<" and (NAME.match(self.text(position - 1))):
                position = max(self.skip_angles(position, end), position + 1)
            else:
                position += 1

    def last_of(self, position, end):
        """Where what top_level gave as one position ends."""
        if self.text(position) == "<":
            return max(self.skip_angles(position, end) - 1, position)
        return self.closings.get(position, position)

    def scan(self, begin, end, scope, path):
        """All declarations between two positions; the scope is 'namespace', 'class' or 'function'. Returns the number
        of fields."""
        fields, position = 0, begin
        while position < end:
            if self.text(position) in (";", "}"):
                position += 1
            elif self.text(position) in ACCESS_WORDS and self.text(position + 1) == ":":
                position += 2
            else:
                position, found = self.declaration(position, end, scope, path)
                fields += found
        return fields

    def declaration(self, begin, end, scope, path):
        """(the position after the declaration or statement that begins here, fields)."""
        head = begin
        while self.text(head) == "template" and self.text(head + 1) == "<":
            head = self.skip_angles(head + 1, end)
        if scope == "function" and self.text(begin) == "{":
            self.scan(begin + 1, self.closings[begin], scope, path)
            return self.closings[begin] + 1, 0
        parameters = initializers = assigned = last = None
        for position in self.top_level(head, end):
            text = self.text(position)
            if text == ";":
                return position + 1, self.count_fields(head, position) if scope == "class" else 0
            if text == "(" and parameters is None and not assigned and not self.is_annotation(position, head):
                parameters = position
            elif text == ":" and parameters is not None:
                initializers = position
            elif text == "=" and parameters is None:
                assigned = position
            elif text == "{":
                opened = self.opened(head, position, last, parameters, initializers, assigned, scope)
                if opened != "value":
                    return self.block(opened, begin, head, position, end, parameters, scope, path)
            if scope != "function" and initializers is None and (assigned or text == "{") and text in PAIRS:
                self.lambdas(position, path)
            last = self.last_of(position, end)
        return end, 0

    def is_annotation(self, position, head):
        """Whether the bracket is that of GUARDED_BY(lock), alignas(8) and the like, and so begins no parameters."""
        before = self.text(position - 1)
        return position - 1 > head and bool(ANNOTATION.match(before))

    def opened(self, head, brace, last, parameters, initializers, assigned, scope):
        """What a '{' begins."""
        if self.text(head) == "namespace" or self.text(head + 1) == "namespace":
            return "namespace"
        if self.text(head) == "extern" and self.text(head + 1) == '""' and brace == head + 2:
            return "namespace"
        words = [self.text(position) for position in self.top_level(head, brace)]
        if "enum" in words[:2]:
            return "enum"
        if assigned:
            return "value"
        before = self.text(last) if last is not None else ""
        is_class = next((word for word in words if word in CLASS_WORDS), None)
        if is_class and before != ")" and parameters is None:
            return "class"
        if scope == "function":
            return "block"
        if parameters is None:
            return "value"
        # a()[, b{}] of a constructor: the body's brace follows a closing bracket
        if initializers is not None and (NAME.match(before) or before == ">"):
            return "value"
        return "function"

    def block(self, opened, begin, head, brace, end, parameters, scope, path):
        closing = self.closings[brace]
        first, after = self.tokens[begin].line, closing + 1
        lines = self.tokens[closing].line - first + 1
        if opened == "namespace":
            self.scan(brace + 1, closing, "namespace", path)
        elif opened == "block":
            self.scan(brace + 1, closing, "function", path)
        elif opened == "function":
            name = "::".join([*path, self.function_name(head, parameters)])
            self.functions.append(Function(name, first, lines))
            self.scan(brace + 1, closing, "function", [*path, name.rsplit("::", 1)[-1]])
        else:
            fields = 0
            if opened == "class":
                name = self.class_name(head, brace)
                fields = self.scan(brace + 1, closing, "class", [*path, name])
                self.classes.append(Class("::".join([*path, name]), first, lines, fields))
            # struct {...} name;
            named = 0
            while after < end and self.text(after) != ";":
                if NAME.match(self.text(after)) and self.text(after + 1) in (";", ",", "=", "{", "["):
                    named += 1
                after = self.closings.get(after, after) + 1
            return after + 1, named if scope == "class" else 0
        return after, 0

    def lambdas(self, opening, path):
        """Counts the lambdas in the value of a variable, which belong to no function, as functions."""
        position, closing = opening, self.closings[opening]
        while position <= closing:
            before = self.text(position - 1)
            if self.text(position) == "[" and not NAME.match(before) and before not in ("]", ")"):
                brace = self.closings[position] + 1
                while brace < len(self.tokens) and self.text(brace) not in ("{", ";", ",", ")"):
                    brace = self.closings.get(brace, brace) + 1
                if self.text(brace) == "{":
                    first, last = self.tokens[position].line, self.tokens[self.closings[brace]].line
                    self.functions.append(Function("::".join([*path, "[]"]), first, last - first + 1))
                    position = self.closings[brace]
            position += 1

    def function_name(self, head, parameters):
        position, name = parameters - 1, ""
        if "operator" in (words := [self.text(at) for at in range(head, parameters)]):
            at = head + len(words) - 1 - words[::-1].index("operator")
            symbols = "".join(self.text(current) for current in range(at + 1, parameters))
            name, position = f"operator{' ' if NAME.match(symbols) else ''}{symbols or '()'}", at - 1
        elif NAME.match(self.text(position)):
            name, position = self.text(position), position - 1
            if self.text(position) == "~":
                name, position = "~" + name, position - 1
        while position > head and self.text(position) == "::" and NAME.match(self.text(position - 1)):
            name, position = f"{self.text(position - 1)}::{name}", position - 2
        return name or "(unnamed)"

    def class_name(self, head, brace):
        name = ""
        for position in self.top_level(head, brace):
            text = self.text(position)
            if text in (":", "<"):
                break
            if NAME.match(text) and text not in CLASS_WORDS | {"final", "alignas"}:
                name = text
        return name or "(unnamed)"

    def count_fields(self, begin, end):
        """Fields that a member declaration without a body declares: none if it is a function, a type, static, ..."""
        texts = [self.text(position) for position in self.top_level(begin, end)
                 if self.text(position) != "(" or not self.is_annotation(position, begin)]
        if not texts or texts[0] in NO_FIELD | {"class", "struct", "enum", "union"} and len(texts) <= 2:
            return 0
        if NO_FIELD & set(texts):
            return 0
        count, value = 1, False
        for text in texts:
            if text == "(" and not value:
                return 0
            if text in ("=", "{", ":"):
                value = True
            elif text == ",":
                count, value = count + 1, False
        return count


def shapes_of(text):
    """(functions, classes) of a C++ file, in no order; nested ones are named Outer::Inner."""
    scanner = _Scanner(text)
    scanner.scan(0, len(scanner.tokens), "namespace", [])
    return scanner.functions, scanner.classes


def _excesses(text):
    """(name, what there is too much of, line, how much, allowed) of one file."""
    functions, classes = shapes_of(text)
    for function in functions:
        if function.lines > MAX_FUNCTION_LINES:
            yield function.name, "lines", function.line, function.lines, MAX_FUNCTION_LINES
    for found in classes:
        if found.lines > MAX_CLASS_LINES:
            yield found.name, "lines", found.line, found.lines, MAX_CLASS_LINES
        if found.fields > MAX_FIELDS:
            yield found.name, "fields", found.line, found.fields, MAX_FIELDS


def check(path, text):
    """(line number, problem) of one file."""
    if not path.startswith("src/") or not path.endswith((".cpp", ".hpp")):
        return
    needed = set()
    for name, what, line, size, allowed in _excesses(text):
        limit = EXCEPTIONS.get((path, name), {}).get(what)
        needed.add((name, what))
        if limit is None:
            yield line, f"{name} has {size} {what}, more than {allowed}: make parts of it"
        elif size > limit:
            yield line, f"{name} has {size} {what}, and its exception is for {limit}: it may shrink, but not grow"
    for (excepted, name), limits in EXCEPTIONS.items():
        for what in limits if excepted == path else ():
            if (name, what) not in needed:
                yield 1, f"{name} needs no exception for its {what} any more: take it out of scripts/lint/sizes.py"
