"""Random expressions of a kind of type over the columns in scope."""

from dataclasses import dataclass, field
from random import Random

from schema import KINDS, Names
from sqltree import Node, expression, items

#: Constants, also what the shrinker puts in place of an expression
LITERALS: dict[str, tuple[str, ...]] = {
    "INT": ("1", "0", "2", "7", "-3", "100", "20", "1000"),
    "DEC": ("1.5", "0.0", "-2.5", "10.0", "40.25"),
    "DBL": ("0.5::DOUBLE", "0::DOUBLE", "-7.5::DOUBLE", "100::DOUBLE"),
    "STR": ("'a'", "''", "'ab'", "'s1'", "'s20'", "'Zoë'", "'a string that is longer than twelve bytes'", "'7'"),
    "DATE": ("DATE '2020-02-29'", "DATE '2020-01-01'", "DATE '2021-06-15'"),
    "TS": ("TIMESTAMP '2020-01-05 12:00:00'", "TIMESTAMP '2020-03-01 00:00:00'"),
    "TSTZ": ("TIMESTAMPTZ '2020-01-05 12:00:00+00'", "TIMESTAMPTZ '2020-07-01 00:00:00+02'"),
    "TIME": ("TIME '12:00:00'", "TIME '00:30:00'"),
    "IVL": ("INTERVAL 5 HOUR", "INTERVAL 3 DAY"),
    "BOOL": ("true", "false"),
    "ENUM": ("'red'::ENUM('red', 'green', 'blue', 'dark red')", "'blue'::ENUM('red', 'green', 'blue', 'dark red')"),
    "UUID": ("md5('3')::UUID",),
    "BLOB": ("'blob 3'::BLOB", "''::BLOB"),
    "LINT": ("[1, NULL, 2]", "[]::INTEGER[]"),
    "LSTR": ("['a', 'x1']",),
    "ST": ("{'a': 1, 'b': 'x1'}",),
    "MAP": ("MAP {'k1': 1}",),
    "BIG": ("7::BIGNUM", "'98989898989898989898'::BIGNUM"),
    "TTZ": ("'12:00:00+01'::TIMETZ",),
    "BIT": ("5::INTEGER::BIT",),
    "ARR": ("[1, 2]::INTEGER[2]",),
    "UNI": ("union_value(n := 3)::UNION(n INTEGER, s VARCHAR)",),
    #: Inexact: only compared with a tolerance
    "FLT": ("0.5::DOUBLE",),
}
ORDERED = ("INT", "DEC", "DBL", "STR", "DATE", "TS", "TSTZ", "TIME", "BOOL", "ENUM", "UUID", "BIG")
COLLATIONS = ("NOCASE", "NOACCENT", "NOCASE.NOACCENT")


@dataclass(frozen=True)
class Value:
    """A column in scope, or an expression that is used like one."""
    sql: str | Node
    kind: str
    unique: bool = False
    #: A plain column: may be used inside subqueries
    plain: bool = True


@dataclass
class Scope:
    values: list[Value]
    #: Of the query around this one, if this one may be correlated
    outer: "Scope | None" = None
    #: The query is correlated if this is set when it is done
    used_outer: list[Value] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Value]:
        return [value for value in self.values if value.kind in kinds]

    def plain(self) -> "Scope":
        return Scope([value for value in self.values if value.plain])


#: {0} etc. are arguments of the kinds in the tuple
FUNCTIONS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "INT": [
        ("({0}::BIGINT + {1})", ("INT", "INT")), ("({0}::HUGEINT - {1})", ("INT", "INT")),
        ("(({0} % 1000) * {1})", ("INT", "INT")), ("({0} % 7)", ("INT",)), ("abs({0}::HUGEINT)", ("INT",)),
        ("length({0})", ("STR",)), ("year({0})", ("DATE",)), ("month({0})", ("TS",)), ("hour({0})", ("TSTZ",)),
        ("len({0})", ("LINT",)), ("{0}[1]", ("LINT",)), ("({0}).a", ("ST",)), ("{0}::INT", ("BOOL",)),
        ("greatest({0}, {1})", ("INT", "INT")), ("least({0}, {1}, 5)", ("INT", "INT")),
        ("strpos({0}, {1})", ("STR", "STR")), ("date_diff('day', {0}, {1})", ("DATE", "DATE")),
        ("TRY_CAST({0} AS INTEGER)", ("STR",)), ("({0}::HUGEINT // 3)", ("INT",)),
        ("list_sum({0})", ("LINT",)), ("round({0})::BIGINT", ("DEC",)), ("({0} & 6)", ("INT",)),
        ("xor({0}::BIGINT % 128, 5)", ("INT",)), ("cardinality({0})", ("MAP",)), ("{0}['k1']", ("MAP",)),
        ("octet_length({0})", ("BLOB",)), ("extract('epoch' FROM {0})::BIGINT", ("IVL",)),
        ("list_position({0}, {1})", ("LINT", "INT")), ("ascii({0})", ("STR",)), ("sign({0})", ("DEC",)),
        ("{0}[2]", ("ARR",)), ("bit_count({0})", ("BIT",)), ("({0}).n", ("UNI",)),
        ("(hash({0}) % 10)::INTEGER", ("STR",)), ("enum_code({0})::INTEGER", ("ENUM",)),
    ],
    "DEC": [
        ("({0} + {1})", ("DEC", "DEC")), ("({0} - 1.5)", ("DEC",)), ("({0} * 2)", ("DEC",)),
        ("round({0}, 1)", ("DEC",)),
        ("({0} % 100)::DECIMAL(12,2)", ("INT",)), ("abs({0})", ("DEC",)), ("greatest({0}, {1})", ("DEC", "DEC")),
    ],
    "DBL": [
        ("({0} + {1})", ("DBL", "DBL")), ("({0} - {1})", ("DBL", "DBL")), ("({0} * 0.5::DOUBLE)", ("DBL",)),
        ("({0} % 1000)::DOUBLE", ("INT",)), ("floor({0})", ("DBL",)), ("abs({0})", ("DBL",)),
        ("isnan({0})::INT::DOUBLE", ("DBL",)),
    ],
    "STR": [
        ("({0} || {1})", ("STR", "STR")), ("upper({0})", ("STR",)), ("lower({0})", ("STR",)),
        ("substr({0}, 2, 3)", ("STR",)), ("left({0}, 4)", ("STR",)), ("replace({0}, 'a', 'bb')", ("STR",)),
        ("{0}::VARCHAR", ("INT",)), ("{0}::VARCHAR", ("DATE",)), ("concat({0}, '-', {1})", ("STR", "INT")),
        ("lpad({0}, 5, '*')", ("STR",)), ("trim({0})", ("STR",)), ("{0}::VARCHAR", ("ENUM",)),
        ("reverse({0})", ("STR",)),
        ("regexp_replace({0}, '[0-9]+', '#')", ("STR",)), ("{0}[1]", ("LSTR",)), ("({0}).b", ("ST",)),
        ("string_split({0}, ' ')[1]", ("STR",)), ("array_to_string({0}, '+')", ("LSTR",)), ("{0}::VARCHAR", ("UUID",)),
        ("strftime({0}, '%Y-%m')", ("DATE",)), ("dayname({0})", ("DATE",)), ("md5({0})", ("STR",)),
        ("{0}::VARCHAR", ("LINT",)), ("{0}::VARCHAR", ("DEC",)), ("hex({0})", ("BLOB",)), ("{0}::VARCHAR", ("ST",)),
        ("printf('%s/%d', {0}, {1}::BIGINT % 9)", ("STR", "INT")), ("typeof({0})", ("INT",)),
    ],
    "DATE": [
        ("({0} + ({1} % 30)::INTEGER)", ("DATE", "INT")), ("{0}::DATE", ("TS",)),
        ("date_trunc('month', {0})::DATE", ("DATE",)), ("last_day({0})", ("DATE",)),
        ("greatest({0}, {1})", ("DATE", "DATE")),
        ("make_date(2020, 1 + abs({0}::BIGINT % 12), 3)", ("INT",)),
    ],
    "TS": [
        ("{0}::TIMESTAMP", ("DATE",)), ("date_trunc('hour', {0})", ("TS",)), ("({0} + INTERVAL 1 DAY)", ("TS",)),
        ("({0} + {1})", ("TS", "IVL")), ("({0} + INTERVAL 1 MONTH)", ("DATE",)),
        ("time_bucket(INTERVAL 7 DAY, {0})", ("TS",)),
        ("{0}::TIMESTAMP", ("TSTZ",)), ("({0} + {1})", ("DATE", "TIME")),
    ],
    "TSTZ": [
        ("{0}::TIMESTAMPTZ", ("TS",)), ("date_trunc('day', {0})", ("TSTZ",)), ("({0} + INTERVAL 36 HOUR)", ("TSTZ",)),
    ],
    "TIME": [("{0}::TIME", ("TS",)), ("({0} + INTERVAL 90 MINUTE)", ("TIME",))],
    "IVL": [("({0} * 2)", ("IVL",)), ("to_minutes({0} % 100)", ("INT",))],
    "BOOL": [
        ("({0} AND {1})", ("BOOL", "BOOL")), ("({0} OR {1})", ("BOOL", "BOOL")), ("(NOT {0})", ("BOOL",)),
        ("starts_with({0}, 's')", ("STR",)), ("regexp_matches({0}, '[0-9]$')", ("STR",)),
        ("list_contains({0}, {1})", ("LINT", "INT")), ("contains({0}, {1})", ("STR", "STR")),
        ("({0} IS TRUE)", ("BOOL",)), ("({0} IS NOT FALSE)", ("BOOL",)), ("list_has_any({0}, ['a', 'ab'])", ("LSTR",)),
    ],
    "ENUM": [], "UUID": [("md5({0})::UUID", ("STR",))],
    "BLOB": [("{0}::BLOB", ("STR",)), ("({0} || {1})", ("BLOB", "BLOB"))],
    "LINT": [
        ("[({0} % 5)::INTEGER, 3]", ("INT",)), ("list_sort({0})", ("LINT",)), ("list_distinct([{0}, {0}])", ("INT",)),
        ("list_transform({0}, lambda x: x + 1)", ("LINT",)), ("list_filter({0}, lambda x: x > 1)", ("LINT",)),
        ("range({0}::BIGINT % 4)::INTEGER[]", ("INT",)), ("list_concat({0}, {1})", ("LINT", "LINT")),
    ],
    "LSTR": [("[{0}, {1}]", ("STR", "STR")), ("string_split({0}, ' ')", ("STR",))],
    "ST": [("{{'a': ({0} % 100)::INTEGER, 'b': {1}}}", ("INT", "STR"))],
    "MAP": [("MAP {{'k1': ({0} % 9)::INTEGER}}", ("INT",))],
    # Not -BIGNUM: DuckDB 1.5.5 leaves a part of its text header unset, and count(DISTINCT -b) is another one each time
    "BIG": [("({0} + {1})", ("BIG", "BIG")), ("{0}::BIGNUM", ("INT",)), ("abs({0})", ("BIG",))],
    "TTZ": [], "BIT": [("(~{0})", ("BIT",))], "ARR": [("[({0} % 5)::INTEGER, 3]::INTEGER[2]", ("INT",))],
    "UNI": [("union_value(s := {0})::UNION(n INTEGER, s VARCHAR)", ("STR",))],
}


class Expressions:
    """Queries give it subqueries; everything random comes from `rng`."""

    def __init__(self, rng: Random):
        self.rng = rng
        self.names = Names()
        #: What occurs in the query, for the counts at the end
        self.features: set[str] = set()

    def kind(self, among: tuple[str, ...] = KINDS, weights: dict[str, float] | None = None) -> str:
        weights = weights or {"INT": 8, "STR": 4, "BOOL": 2, "DEC": 2, "DBL": 2, "DATE": 2}
        return self.rng.choices(among, [weights.get(kind, 0.7) for kind in among])[0]

    def kind_in(self, scope: Scope, among: tuple[str, ...] = KINDS) -> str:
        """Mostly one of which there are columns."""
        present = [value.kind for value in scope.values if value.kind in among]
        return self.rng.choice(present) if present and self.rng.random() < 0.8 else self.kind(among)

    def literal(self, kind: str) -> Node:
        return expression(kind, self.rng.choice(LITERALS[kind]))

    def value(self, kind: str, scope: Scope) -> Node | None:
        """A column of that kind, sometimes of the outer query."""
        if scope.outer and self.rng.random() < 0.25:
            if outer := scope.outer.of(kind):
                chosen = self.rng.choice(outer)
                scope.used_outer.append(chosen)
                return expression(kind, chosen.sql)
        values = scope.of(kind)
        return expression(kind, self.rng.choice(values).sql) if values else None

    def made_of_columns(self, kind: str, scope: Scope) -> Node | None:
        """A function of columns that are there."""
        present = scope_kinds(scope)
        functions = [each for each in FUNCTIONS.get(kind, ()) if present.issuperset(each[1])]
        if not functions:
            return None
        template, kinds = self.rng.choice(functions)
        return from_template(kind, template, [expression(each, self.rng.choice(scope.of(each)).sql) for each in kinds])

    def key(self, scope: Scope, among: tuple[str, ...] = KINDS) -> tuple[str, Node]:
        """Something to compare, group or order by: a column, or a function of columns; constants only if need be."""
        present = [value for value in scope.values if value.kind in among]
        if present and self.rng.random() < 0.85:
            chosen = self.rng.choice(present)
            return chosen.kind, expression(chosen.kind, chosen.sql)
        kind = self.kind_in(scope, among)
        node = self.made_of_columns(kind, scope)
        if node is None and present:
            chosen = self.rng.choice(present)
            return chosen.kind, expression(chosen.kind, chosen.sql)
        return kind, node or self.literal(kind)

    def expr(self, kind: str, scope: Scope, depth: int = 2) -> Node:
        draw = self.rng.random()
        if draw < (0.5 if depth else 0.9):
            if column := self.value(kind, scope):
                return column
        if draw < 0.52 and kind in scope_kinds(scope):
            return expression(kind, f"NULL::{null_type(kind)}")
        if depth <= 0 or draw < 0.6:
            made = self.made_of_columns(kind, scope) if self.rng.random() < 0.7 else None
            return made or self.literal(kind)
        if kind == "BOOL" and self.rng.random() < 0.7:
            return self.predicate(scope, depth)
        if self.rng.random() < 0.25:
            return self.choice(kind, scope, depth)
        if self.rng.random() < 0.08 and kind != "FLT":
            if subquery := self.scalar_subquery(kind, scope, depth):
                return subquery
        functions = FUNCTIONS[kind]
        if not functions:
            return self.value(kind, scope) or self.literal(kind)
        # Those whose arguments are there come first
        functions = self.rng.sample(functions, min(3, len(functions)))
        present = scope_kinds(scope)
        template, kinds = max(functions, key=lambda function: sum(each in present for each in function[1]))
        return from_template(kind, template, [self.expr(each, scope, depth - 1) for each in kinds])

    def choice(self, kind: str, scope: Scope, depth: int) -> Node:
        one, other = self.expr(kind, scope, depth - 1), self.expr(kind, scope, depth - 1)
        draw = self.rng.randrange(4)
        if kind == "ARR":
            # DuckDB has no CASE with arrays
            return one
        if draw == 0:
            return expression(kind, "coalesce(", one, ", ", other, ")")
        if draw == 1:
            return expression(kind, "nullif(", one, ", ", other, ")")
        if draw == 2:
            of = self.kind_in(scope, ORDERED)
            whens = [Node("when", " WHEN ", self.literal(of), " THEN ", each) for each in (one, other)]
            return expression(kind, "CASE ", self.expr(of, scope, depth - 1), items(whens, ""), " END")
        return expression(kind, "CASE WHEN ", self.predicate(scope, depth - 1), " THEN ", one, " ELSE ", other, " END")

    def predicate(self, scope: Scope, depth: int = 2) -> Node:
        """A condition; most of them compare something that is there."""
        rng = self.rng
        draw = rng.random()
        if depth > 0 and draw < 0.25:
            parts = [self.predicate(scope, depth - 1) for _ in range(2)]
            return expression("BOOL", "(", items(parts, rng.choice((" AND ", " OR "))), ")")
        if depth > 0 and draw < 0.30:
            return expression("BOOL", "(NOT ", self.predicate(scope, depth - 1), ")")
        if depth > 0 and draw < 0.42:
            if subquery := self.subquery_predicate(scope, depth):
                return subquery
        if draw < 0.50:
            negated = rng.choice(("", "NOT ", "NOT "))
            return expression("BOOL", "(", self.key(scope)[1], f" IS {negated}NULL)")
        if draw < 0.58:
            pattern = rng.choice(("'%a%'", "'s1%'", "'_'", "'%'", "'a common%7'", "'%o_'"))
            operator = rng.choice(("LIKE", "NOT LIKE", "ILIKE", "GLOB"))
            text = self.value("STR", scope) or self.made_of_columns("STR", scope) or self.literal("STR")
            return expression("BOOL", "(", text, f" {operator} {pattern})")
        kind, left = self.key(scope, ORDERED)
        if depth > 0 and rng.random() < 0.3:
            left = self.expr(kind, scope, depth - 1)
        if draw < 0.68:
            values: list[str | Node] = [self.literal(kind) for _ in range(rng.randrange(1, 5))]
            if rng.random() < 0.15:
                values.append("NULL")
            return expression("BOOL", "(", left, rng.choice((" IN (", " NOT IN (")), items(values), "))")
        if draw < 0.75:
            between = rng.choice((" BETWEEN ", " NOT BETWEEN "))
            upper = self.expr(kind, scope, depth - 1)
            return expression("BOOL", "(", left, between, self.literal(kind), " AND ", upper, ")")
        operator = rng.choice(("=", "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"))
        right = self.literal(kind) if rng.random() < 0.5 else self.expr(kind, scope, depth - 1)
        return expression("BOOL", "(", self.collated(kind, left), f" {operator} ", right, ")")

    def collated(self, kind: str, node: Node) -> Node:
        """For comparing and ordering; not for groups, of whose texts any may stand for the others."""
        if kind != "STR" or self.rng.random() > 0.1:
            return node
        self.features.add("COLLATE")
        return expression(kind, "(", node, f" COLLATE {self.rng.choice(COLLATIONS)})")

    def scalar_subquery(self, kind: str, scope: Scope, depth: int) -> Node | None:
        raise NotImplementedError

    def subquery_predicate(self, scope: Scope, depth: int) -> Node | None:
        raise NotImplementedError


def scope_kinds(scope: Scope) -> set[str]:
    return {value.kind for value in scope.values}


def null_type(kind: str) -> str:
    return {"INT": "INTEGER", "DEC": "DECIMAL(9,2)", "DBL": "DOUBLE", "STR": "VARCHAR", "TS": "TIMESTAMP",
            "TSTZ": "TIMESTAMPTZ", "IVL": "INTERVAL", "BOOL": "BOOLEAN", "LINT": "INTEGER[]", "LSTR": "VARCHAR[]",
            "ENUM": "ENUM('red', 'green', 'blue', 'dark red')", "ST": "STRUCT(a INTEGER, b VARCHAR)",
            "MAP": "MAP(VARCHAR, INTEGER)", "FLT": "DOUBLE", "BIG": "BIGNUM", "TTZ": "TIMETZ", "ARR": "INTEGER[2]",
            "UNI": "UNION(n INTEGER, s VARCHAR)"}.get(kind, kind)


def from_template(kind: str, template: str, arguments: list[Node]) -> Node:
    parts: list[str | Node] = []
    rest = template
    while "{0}" in rest or "{1}" in rest:
        index = min((rest.index(mark), mark) for mark in ("{0}", "{1}") if mark in rest)
        parts += [rest[:index[0]].replace("{{", "{").replace("}}", "}"), arguments[int(index[1][1])]]
        rest = rest[index[0] + 3:]
    return expression(kind, *parts, rest.replace("{{", "{").replace("}}", "}"))

