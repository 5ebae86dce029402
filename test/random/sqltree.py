"""SQL as a tree: text with named places in it, so that the shrinker can drop and replace parts without knowing SQL."""

from collections.abc import Iterator

#: A clause that can be left out
OPTIONAL = "optional"
#: A list whose items can be left out, down to `least`
ITEMS = "items"
#: Something with rows: may be replaced by a part of it that is one too
RELATION = "relation"
QUERY = "query"
#: Expressions are of kind "=" and their type: may be replaced by a part of the same type, or by a simple value
EXPRESSION = "="
#: A constant that an argument of EXECUTE stands for
PARAMETER = "parameter"


class Node:
    __slots__ = ("kind", "parts", "separator", "least")

    def __init__(self, kind: str, *parts: "str | Node", separator: str = "", least: int = 1):
        self.kind = kind
        self.parts = list(parts)
        self.separator = separator
        self.least = least

    def __str__(self) -> str:
        return self.separator.join(str(part) for part in self.parts)

    def copy(self) -> "Node":
        parts = [part.copy() if isinstance(part, Node) else part for part in self.parts]
        return Node(self.kind, *parts, separator=self.separator, least=self.least)

    def below(self) -> Iterator["Node"]:
        """All nodes in it, outer ones first."""
        for part in self.parts:
            if isinstance(part, Node):
                yield part
                yield from part.below()


def optional(*parts: str | Node) -> Node:
    return Node(OPTIONAL, *parts)


def items(parts: list, separator: str = ", ", least: int = 1) -> Node:
    return Node(ITEMS, *parts, separator=separator, least=least)


def relation(*parts: str | Node) -> Node:
    return Node(RELATION, *parts)


def query(*parts: str | Node) -> Node:
    return Node(QUERY, *parts)


def expression(kind: str, *parts: str | Node) -> Node:
    return Node(EXPRESSION + kind, *parts)


def statement(root: Node) -> str:
    """The SQL of a query; of one with parameters, its PREPARE and EXECUTE."""
    arguments: list[str] = []

    def text(part: "str | Node") -> str:
        if isinstance(part, str):
            return part
        if part.kind != PARAMETER:
            return part.separator.join(map(text, part.parts))
        # By value: a key has to be the same expression in SELECT and in GROUP BY
        if str(part) not in arguments:
            arguments.append(str(part))
        return f"${arguments.index(str(part)) + 1}"

    sql = text(root)
    return f"PREPARE random_query AS {sql}; EXECUTE random_query({', '.join(arguments)})" if arguments else sql


def paths(node: Node, prefix: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Where all nodes are, outer ones first, so that big parts are tried before small ones."""
    level = [prefix]
    while level:
        following = []
        for path in level:
            yield path
            following += [(*path, number) for number, part in enumerate(at(node, path).parts)
                          if isinstance(part, Node)]
        level = following


def at(node: Node, path: tuple[int, ...]) -> Node:
    for number in path:
        node = node.parts[number]  # type: ignore[assignment]
    return node


def replaced(root: Node, path: tuple[int, ...], by: "str | Node | None") -> Node:
    """A copy with another node at the path; None takes an item out of its list."""
    if not path:
        assert isinstance(by, Node)
        return by.copy()
    result = root.copy()
    parent = at(result, path[:-1])
    if by is None:
        del parent.parts[path[-1]]
    else:
        parent.parts[path[-1]] = by.copy() if isinstance(by, Node) else by
    return result
