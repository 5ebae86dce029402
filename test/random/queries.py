"""Random queries over a schema. What they return is determined by the data, whatever the order of rows."""

from dataclasses import dataclass, field
from random import Random

from aggregates import Aggregates
from expressions import LITERALS, ORDERED, Scope, Value, null_type
from schema import Schema
from sqltree import EXPRESSION, PARAMETER, Node, expression, items, optional, query, relation

#: More rows than this are not joined with each other
MAX_JOINED = 2_000_000
OUTER_JOINS = ("LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
SET_OPERATIONS = ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL",
                  "UNION ALL BY NAME")


@dataclass
class Source:
    node: Node
    values: list[Value]
    #: Roughly, so that products stay small
    rows: int
    #: A table of the schema
    base: str = ""


@dataclass
class Case:
    sql: Node
    #: The outermost ORDER BY names all columns
    ordered: bool
    #: Of the outermost query
    shape: str
    features: frozenset[str]


@dataclass
class Common:
    """A CTE that the query may read."""
    name: str
    columns: list[tuple[str, str]]


@dataclass
class Output:
    node: Node
    columns: list[tuple[str, str]] = field(default_factory=list)
    shape: str = ""


class Queries(Aggregates):
    def __init__(self, rng: Random, schema: Schema):
        super().__init__(rng)
        self.schema = schema
        self.commons: list[Common] = []

    def case(self) -> Case:
        rng = self.rng
        output = self.query(rng.choice((1, 2, 2, 3)), top=True)
        parts: list[str | Node] = [output.node]
        ordered = False
        if rng.random() < 0.4 and "FLT" not in [kind for _, kind in output.columns]:
            ordered = True
            parts += self.order_and_limit(output.columns)
        if self.with_clauses:
            parts = ["WITH ", items(self.with_clauses), " ", *parts]
        root = Node("statement", *parts)
        if rng.random() < 0.08:
            self._parametrize(root)
        return Case(root, ordered, output.shape, frozenset(self.features))

    def _parametrize(self, root: Node) -> None:
        """Some constants become parameters of a prepared statement."""
        constants = [node for node in root.below() if node.kind.startswith(EXPRESSION) and len(node.parts) == 1
                     and node.parts[0] in LITERALS.get(node.kind.removeprefix(EXPRESSION), ())]
        for node in self.rng.sample(constants, min(len(constants), self.rng.choice((1, 2, 4)))):
            self.features.add("PREPARE with parameters")
            node.parts = [Node(PARAMETER, *node.parts)]

    with_clauses: list[Node]

    # Relations

    def table(self, budget: int) -> Source:
        fitting = [table for table in self.schema.tables if table.rows <= budget]
        table = self.rng.choice(fitting or [min(self.schema.tables, key=lambda each: each.rows)])
        name = self.names.new("r")
        values = [Value(f"{name}.{column.name}", column.kind, column.unique) for column in table.columns]
        return Source(relation(f"{table.name} AS {name}"), values, table.rows, table.name)

    def derived(self, depth: int, outer: Scope | None = None, lateral: bool = False) -> Source:
        output = self.query(depth, outer=outer)
        name = self.names.new("r")
        values = [Value(f"{name}.{column}", kind) for column, kind in output.columns]
        return Source(relation("LATERAL (" if lateral else "(", output.node, f") AS {name}"), values, 5000)

    def made_up(self) -> Source:
        """Rows without a table, or a number of rows that does not depend on which they are."""
        rng, name = self.rng, self.names.new("r")
        if rng.random() < 0.3:
            self.features.add("LIMIT without ORDER BY")
            source = self.relation(0, 30000)
            where = optional(" WHERE ", self.predicate(Scope(source.values), 0)) if rng.random() < 0.5 else ""
            limited = query("SELECT 1 FROM ", source.node, where, f" LIMIT {rng.choice((0, 1, 5, 100, 2500, 100000))}",
                            optional(f" OFFSET {rng.choice((0, 3, 600, 5000))}"))
            return Source(relation("(SELECT count(*) AS v FROM (", limited, f")) AS {name}"),
                          [Value(f"{name}.v", "INT", True)], 1)
        if rng.random() < 0.35:
            self.features.add("range()")
            return Source(relation(f"range({rng.choice((0, 1, 10, 300))}) AS {name}(v)"),
                          [Value(f"{name}.v", "INT", True)], 300)
        kinds = [self.kind() for _ in range(rng.randrange(1, 4))]
        values = [Value(f"{name}.v{number}", kind) for number, kind in enumerate(kinds)]
        self.features.add("VALUES")
        rows: list = [Node("row", "(", ", ".join(f"NULL::{null_type(kind)}" if rng.random() < 0.1 else
                                                 rng.choice(LITERALS[kind]) for kind in kinds), ")")
                      for _ in range(rng.randrange(1, 6))]
        names = ", ".join(f"v{number}" for number in range(len(kinds)))
        return Source(relation("(VALUES ", items(rows), f") AS {name}({names})"), values, 6)

    def source(self, depth: int, budget: int) -> Source:
        draw = self.rng.random()
        if self.commons and draw < 0.4:
            common = self.rng.choice(self.commons)
            name = self.names.new("r")
            self.features.add("CTE")
            return Source(relation(f"{common.name} AS {name}"),
                          [Value(f"{name}.{column}", kind) for column, kind in common.columns], 5000)
        if depth > 0 and draw < 0.55:
            self.features.add("derived table")
            return self.derived(depth - 1)
        if draw > 0.95:
            return self.made_up()
        return self.table(budget)

    def relation(self, depth: int, budget: int = 10**9) -> Source:
        """A table, or a join of some."""
        rng = self.rng
        left = self.source(depth, budget)
        for _ in range(rng.choices((0, 1, 2, 3), (10, 6, 2, 1) if depth else (10, 2, 0, 0))[0]):
            left = self.join(left, depth)
        if rng.random() < 0.04 and any(value.kind in ("LINT", "LSTR") for value in left.values):
            left = self.unnested(left)
        return left

    def unnested(self, left: Source) -> Source:
        self.features.add("UNNEST")
        chosen = self.rng.choice([value for value in left.values if value.kind in ("LINT", "LSTR")])
        name = self.names.new("r")
        value = Value(f"{name}.v", "INT" if chosen.kind == "LINT" else "STR")
        return Source(relation(left.node, f", unnest({chosen.sql}) AS {name}(v)"), [*left.values, value], left.rows * 3)

    def join(self, left: Source, depth: int) -> Source:
        rng = self.rng
        if depth > 0 and rng.random() < 0.08:
            self.features.add("LATERAL")
            right = self.derived(0, Scope([value for value in left.values if value.plain]), lateral=True)
            return Source(relation(left.node, ", ", right.node), left.values + right.values, left.rows)
        right = self.source(depth - 1, 30000)
        if rng.random() < 0.06:
            if nearest := self._asof_join(left, right):
                return nearest
        kind = rng.choices(("JOIN", *OUTER_JOINS, "SEMI JOIN", "ANTI JOIN", "CROSS JOIN"), (8, 4, 2, 2, 2, 2, 1))[0]
        keys = self._join_keys(left, right)
        big = left.rows * right.rows > MAX_JOINED
        if not keys or (big and not any(one.unique or other.unique for one, other in keys)):
            right = self.table(max(10, MAX_JOINED // (left.rows + 1)))
            keys = self._join_keys(left, right)
        if big and keys:
            keys = [pair for pair in keys if pair[0].unique or pair[1].unique] or keys
        self.features.add(kind.lower())
        values = left.values if kind in ("SEMI JOIN", "ANTI JOIN") else left.values + right.values
        rows = max(left.rows, right.rows)
        if kind == "CROSS JOIN":
            small = left.rows * right.rows <= MAX_JOINED // 10
            if small:
                return Source(relation(left.node, " CROSS JOIN ", right.node), values, left.rows * right.rows)
            kind = "JOIN"
        shared = self._shared_names(left, right)
        if shared and rng.random() < 0.3:
            self.features.add("USING")
            names = rng.sample(shared, min(len(shared), rng.choice((1, 1, 2))))
            return Source(relation(left.node, f" {kind} ", right.node, " USING (", items(list(names)), ")"), values,
                          rows)
        both = Scope(left.values + right.values)
        conditions: list = []
        if keys and (rng.random() < 0.9 or left.rows * right.rows > MAX_JOINED // 10):
            for one, other in rng.sample(keys, min(len(keys), rng.choice((1, 1, 1, 2)))):
                operator = "=" if rng.random() < 0.93 else "IS NOT DISTINCT FROM"
                conditions.append(expression("BOOL", "(", expression(one.kind, one.sql), f" {operator} ",
                                             expression(other.kind, other.sql), ")"))
        if not conditions or rng.random() < 0.2:
            conditions.append(self._comparison(left, right, both))
        return Source(relation(left.node, f" {kind} ", right.node, " ON (", items(conditions, " AND "), ")"), values,
                      rows)

    def _asof_join(self, left: Source, right: Source) -> Source | None:
        """Only what is the same in all rows that are equally near is in scope afterwards."""
        rng = self.rng
        pairs = [(one, other) for one in left.values for other in right.values
                 if one.kind == other.kind and one.kind in ("INT", "DEC", "DATE", "TS", "TSTZ", "STR")]
        if not pairs:
            return None
        self.features.add("ASOF JOIN")
        near = rng.choice(pairs)
        equal = [pair for pair in self._join_keys(left, right) if pair[1] is not near[1]]
        equal = rng.sample(equal, min(len(equal), rng.choice((0, 1, 1, 2))))
        conditions = [expression("BOOL", "(", expression(one.kind, one.sql), " = ", expression(other.kind, other.sql),
                                 ")") for one, other in equal]
        conditions.append(expression("BOOL", "(", expression(near[0].kind, near[0].sql),
                                     rng.choice((" >= ", " > ", " < ", " <= ")),
                                     expression(near[1].kind, near[1].sql), ")"))
        known = {str(other.sql): Value(other.sql, other.kind) for _, other in (*equal, near)}
        return Source(relation(left.node, rng.choice((" ASOF JOIN ", " ASOF LEFT JOIN ")), right.node, " ON (",
                               items(conditions, " AND "), ")"), [*left.values, *known.values()], left.rows)

    def _comparison(self, left: Source, right: Source, both: Scope) -> Node:
        self.features.add("join by other conditions")
        pairs = [(one, other) for one in left.values for other in right.values
                 if one.kind == other.kind and one.kind in ORDERED]
        if not pairs or self.rng.random() < 0.3:
            return self.predicate(both, 0)
        one, other = self.rng.choice(pairs)
        return expression("BOOL", "(", self.collated(one.kind, expression(one.kind, one.sql)),
                          self.rng.choice((" < ", " >= ", " <> ", " > ")), expression(other.kind, other.sql), ")")

    def _join_keys(self, left: Source, right: Source) -> list[tuple[Value, Value]]:
        pairs = [(one, other) for one in left.values for other in right.values if one.kind == other.kind != "FLT"]
        numbers = [pair for pair in pairs if pair[0].kind == "INT"]
        return numbers if numbers and self.rng.random() < 0.6 else pairs

    @staticmethod
    def _shared_names(left: Source, right: Source) -> list[str]:
        if not left.base or not right.base:
            return []
        names = [{str(value.sql).split(".")[1] for value in source.values} for source in (left, right)]
        return sorted(names[0] & names[1])

    # Queries

    def order_and_limit(self, columns: list[tuple[str, str]]) -> list[Node]:
        rng = self.rng
        names = [name for name, _ in columns]
        rng.shuffle(names)
        if rng.random() < 0.2:
            parts = [Node("order by", " ORDER BY ALL" + rng.choice(("", " DESC", " NULLS FIRST")))]
        else:
            parts = [Node("order by", " ORDER BY ", items([Node("order", name, self.direction()) for name in names],
                                                         least=len(names)))]
        if rng.random() < 0.5:
            self.features.add("ORDER BY with LIMIT")
            limit = rng.choices((0, 1, 5, 10, 100, 3000, "30%", "(SELECT 5)"), (0.1, 1, 1, 1, 1, 1, 0.1, 0.1))[0]
            parts.append(optional(f" LIMIT {limit}"))
            if rng.random() < 0.3:
                parts.append(optional(f" OFFSET {rng.choice((0, 1, 7, 500, 5000))}"))
        return parts

    def query(self, depth: int, kinds: list[str] | None = None, outer: Scope | None = None,
              top: bool = False) -> Output:
        rng = self.rng
        if top:
            self.with_clauses = []
            if rng.random() < 0.2:
                self._add_commons(depth)
        if depth > 0 and not outer and rng.random() < 0.18:
            output = self.set_operation(depth, kinds)
        else:
            output = self.select(depth, kinds, outer, inexact=top)
        if not top and rng.random() < 0.15:
            output.node = query(output.node, *self.order_and_limit(output.columns))
        return output

    def _add_commons(self, depth: int) -> None:
        for _ in range(self.rng.choice((1, 1, 2))):
            output = self.query(depth - 1)
            name = self.names.new("cte")
            hint = self.rng.choice(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
            self.with_clauses.append(Node("cte", f"{name} AS {hint}(", output.node, ")"))
            self.commons.append(Common(name, output.columns))

    def set_operation(self, depth: int, kinds: list[str] | None) -> Output:
        rng = self.rng
        kinds = kinds or [self.kind() for _ in range(rng.randrange(1, 4))]
        inputs = [self.select(depth - 1, kinds, None, False) for _ in range(rng.choice((2, 2, 2, 3)))]
        operation = rng.choice(SET_OPERATIONS)
        self.features.add(operation)
        node: Node = query("(", inputs[0].node, ")")
        for following in inputs[1:]:
            if operation.endswith("BY NAME"):
                names = [f"{theirs} AS {ours}" for (theirs, _), (ours, _) in zip(following.columns, inputs[0].columns)]
                rng.shuffle(names)
                following.node = query(f"SELECT {', '.join(names)} FROM (", following.node, ")")
            node = query(node, f" {operation} ", query("(", following.node, ")"))
        return Output(query("SELECT * FROM (", node, ")"), inputs[0].columns, operation)

    def select(self, depth: int, kinds: list[str] | None, outer: Scope | None, inexact: bool) -> Output:
        rng = self.rng
        source = self.relation(depth)
        if depth > 1 and "JOIN" in str(source.node):
            depth = 1
        scope = Scope(source.values, outer)
        draw = rng.random()
        parts: list[str | Node] = ["FROM ", source.node]
        if rng.random() < 0.55 or outer:
            parts.append(optional(" WHERE ", self.predicate(scope, min(depth, 2))))
        if draw < 0.40:
            return self._grouped(scope, kinds, parts, inexact)
        if draw < 0.55:
            return self._windowed(scope, kinds, parts, inexact)
        if draw < 0.65:
            return self._distinct_on(scope, kinds, parts) if rng.random() < 0.4 else \
                self._finish("DISTINCT ", self._outputs(scope, kinds, 1), parts, "distinct")
        shape = "join" if "JOIN" in str(source.node) else "scan"
        return self._finish("", self._outputs(scope, kinds, 2), parts, shape)

    def _outputs(self, scope: Scope, kinds: list[str] | None, depth: int) -> list[tuple[Node, str]]:
        kinds = kinds or [self.kind_in(scope) for _ in range(self.rng.randrange(1, 6))]
        return [(self.expr(kind, scope, depth), kind) for kind in kinds]

    def _finish(self, distinct: str, outputs: list[tuple[Node, str]], parts: list, shape: str) -> Output:
        columns = [(self.names.new("c"), kind) for _, kind in outputs]
        selected = [Node("column", node, f" AS {name}") for (node, _), (name, _) in zip(outputs, columns)]
        if distinct == "DISTINCT ":
            distinct_node: str | Node = optional(distinct)
        else:
            distinct_node = distinct
        return Output(query("SELECT ", distinct_node, items(selected), " ", *parts), columns, shape)

    def _distinct_on(self, scope: Scope, kinds: list[str] | None, parts: list) -> Output:
        self.features.add("DISTINCT ON")
        keys = [self.key(scope)[1] for _ in range(self.rng.choice((1, 1, 2)))]
        order = items([*keys, *self.total_order(scope)])
        output = self._finish("", self._outputs(scope, kinds, 1), parts, "distinct on")
        output.node.parts[1] = Node("distinct on", "DISTINCT ON (", items(list(keys)), ") ")
        output.node.parts += [" ORDER BY ", order]
        output.node = query("SELECT * FROM (", output.node, ")")
        return output

    def _windowed(self, scope: Scope, kinds: list[str] | None, parts: list, inexact: bool) -> Output:
        rng = self.rng
        windows = [self.window(scope, inexact and not kinds) for _ in range(rng.choice((1, 1, 2)))]
        everything = Scope([*scope.values, *windows], scope.outer)
        outputs = self._outputs(everything, kinds, 1)
        if not kinds:
            outputs += [(expression(window.kind, window.sql), window.kind) for window in windows]
        if rng.random() < 0.3:
            self.features.add("QUALIFY")
            exact = Scope([window for window in windows if window.kind in ORDERED])
            if exact.values:
                parts.append(optional(" QUALIFY ", self.predicate(exact, 0)))
        return self._finish("", outputs, parts, "window")

    def _grouped(self, scope: Scope, kinds: list[str] | None, parts: list, inexact: bool) -> Output:
        rng = self.rng
        keys = []
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
            kind, node = self.key(scope)
            if rng.random() < 0.1:
                node = self.expr(kind, scope, 1)
            if not str(node).lstrip("-").isdigit():
                keys.append(Value(node, kind, plain=False))
        aggregates = [self.aggregate(scope, kind) for kind in kinds] if kinds else \
            [self.aggregate(scope, inexact=inexact) for _ in range(rng.randrange(0 if keys else 1, 5))]
        after = Scope([*keys, *(each for each in aggregates if each.kind != "FLT")])
        outputs = [(expression(each.kind, each.sql), each.kind) for each in aggregates]
        if kinds:
            outputs = [(self.expr(kind, after, 0) if rng.random() < 0.4 else node, kind) for node, kind in outputs]
        else:
            outputs += [(expression(key.kind, key.sql), key.kind) for key in keys if rng.random() < 0.85]
            if rng.random() < 0.25 and after.values:
                kind = self.kind_in(after)
                outputs.append((self.after_groups(kind, after), kind))
        if not outputs:
            outputs = [(expression("INT", "count(*)"), "INT")]
        if keys:
            parts += self._group_by(keys, outputs, kinds)
        if rng.random() < 0.25 and after.of(*ORDERED):
            self.features.add("HAVING")
            chosen = rng.choice(after.of(*ORDERED))
            parts.append(optional(" HAVING ", expression("BOOL", "(", chosen.sql, rng.choice((" > ", " <= ", " <> ")),
                                                         self.literal(chosen.kind), ")")))
        return self._finish("", outputs, parts, "group by" if keys else "aggregate")

    def after_groups(self, kind: str, after: Scope) -> Node:
        return self.expr(kind, after, 1)

    def _group_by(self, keys: list[Value], outputs: list, kinds: list[str] | None) -> list:
        rng = self.rng
        draw = rng.random()
        if draw < 0.15 and not kinds and all(any(node.parts[0] is key.sql for node, _ in outputs) for key in keys):
            return [" GROUP BY ALL"]
        if draw < 0.3 and len(keys) > 1:
            self.features.add("GROUPING SETS")
            if not kinds and rng.random() < 0.5:
                outputs.append((expression("INT", "grouping(", items([key.sql for key in keys]), ")"), "INT"))
            how = rng.choice(("ROLLUP (", "CUBE (", "GROUPING SETS ("))
            if how != "GROUPING SETS (":
                return [" GROUP BY " + how, items([key.sql for key in keys]), ")"]
            sets = [Node("set", "(", items([key.sql for key in keys if rng.random() < 0.5], least=0), ")")
                    for _ in range(rng.randrange(1, 4))]
            sets.append(Node("set", "(", items([key.sql for key in keys]), ")"))
            return [" GROUP BY " + how, items(sets), ")"]
        return [" GROUP BY ", items([key.sql for key in keys])]

    # Subqueries

    def scalar_subquery(self, kind: str, scope: Scope, depth: int) -> Node | None:
        if depth < 1 or not all(value.plain for value in scope.values):
            return None
        self.features.add("scalar subquery")
        source = self.relation(0, 3000)
        inner = Scope(source.values, scope.plain() if self.rng.random() < 0.6 else None)
        parts: list[str | Node] = ["FROM ", source.node]
        condition = self._correlation(source, inner)
        parts.append(optional(" WHERE ", condition))
        value = self.aggregate(Scope(source.values), kind, depth=0)
        return expression(kind, "(", query("SELECT ", value.sql, " ", *parts), ")")

    def _correlation(self, source: Source, inner: Scope) -> Node:
        """Mostly an equality with a column of the outer query, if there is one."""
        if inner.outer:
            keys = self._join_keys(Source(source.node, source.values, 0), Source(source.node, inner.outer.values, 0))
            if keys:
                one, other = self.rng.choice(keys)
                self.features.add("correlated")
                operator = self.rng.choices((" = ", " < ", " IS NOT DISTINCT FROM "), (10, 1, 1))[0]
                equal = expression("BOOL", "(", expression(one.kind, one.sql), operator,
                                   expression(other.kind, other.sql), ")")
                if self.rng.random() < 0.7:
                    return equal
                return expression("BOOL", "(", equal, " AND ", self.predicate(inner, 0), ")")
        return self.predicate(inner, 0)

    def subquery_predicate(self, scope: Scope, depth: int) -> Node | None:
        if depth < 1 or not all(value.plain for value in scope.values):
            return None
        rng = self.rng
        draw = rng.random()
        if draw < 0.5:
            kind = self.kind_in(scope)
            left = self.expr(kind, scope, 0)
            negated = rng.choice(("IN", "IN", "NOT IN", "= ANY", "<> ALL"))
            if negated.endswith("IN") and rng.random() < 0.15:
                self.features.add("IN with two columns")
                other = self.kind_in(scope)
                return expression("BOOL", "((", left, ", ", self.expr(other, scope, 0), f") {negated} (",
                                  self.query(0, [kind, other]).node, "))")
            self.features.add(f"{negated} (subquery)")
            if rng.random() < 0.7:
                inner = self.query(0, [kind]).node
            else:
                inner = self._correlated_select(scope, kind)
            return expression("BOOL", "(", left, f" {negated} (", inner, "))")
        negated = rng.choice(("EXISTS", "NOT EXISTS"))
        self.features.add(negated)
        return expression("BOOL", f"({negated} (", self._correlated_select(scope, None), "))")

    def _correlated_select(self, scope: Scope, kind: str | None) -> Node:
        source = self.relation(0, 3000)
        inner = Scope(source.values, scope.plain())
        selected: str | Node = self.expr(kind, Scope(source.values), 0) if kind else "1"
        return query("SELECT ", selected, " FROM ", source.node, optional(" WHERE ", self._correlation(source, inner)))
