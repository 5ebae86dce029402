"""Random calls of aggregate and window functions whose results do not depend on the order of rows."""

from expressions import ORDERED, Expressions, Scope, Value, from_template
from sqltree import Node, expression, items, optional

#: (result's kind, call, argument kinds); "same": the kind of the argument
AGGREGATES: list[tuple[str, str, tuple[str, ...]]] = [
    ("INT", "count(*)", ()), ("INT", "count(*)", ()), ("INT", "count({0})", ("any",)), ("INT", "sum({0})", ("INT",)),
    ("INT", "sum({0})", ("INT",)), ("DEC", "sum({0})", ("DEC",)), ("DBL", "sum({0})", ("DBL",)),
    ("FLT", "avg({0})", ("INT",)), ("FLT", "avg({0})", ("DEC",)), ("DBL", "avg({0})", ("DBL",)),
    ("same", "min({0})", ("any",)), ("same", "max({0})", ("any",)), ("same", "min({0})", ("any",)),
    ("INT", "count(DISTINCT {0})", ("any",)), ("INT", "sum(DISTINCT {0})", ("INT",)),
    ("same", "median({0})", ("DBL",)), ("same", "quantile_disc({0}, 0.25)", ("ordered",)),
    ("same", "quantile_disc({0}, 0.9)", ("INT",)), ("INT", "bit_and({0})", ("INT",)), ("INT", "bit_or({0})", ("INT",)),
    ("INT", "bit_xor({0})", ("INT",)), ("BOOL", "bool_and({0})", ("BOOL",)), ("BOOL", "bool_or({0})", ("BOOL",)),
    ("INT", "count_if({0})", ("BOOL",)), ("FLT", "stddev_samp({0})", ("DBL",)),
    ("FLT", "var_pop({0} % 1000)", ("INT",)),
    ("INT", "approx_count_distinct({0})", ("any",)), ("LINT", "list({0} ORDER BY {0})", ("INT",)),
    ("LSTR", "list({0} ORDER BY {0} DESC NULLS LAST)", ("STR",)),
    ("STR", "string_agg({0}, ',' ORDER BY {0})", ("STR",)),
    ("STR", "string_agg(DISTINCT {0}, '+' ORDER BY {0})", ("STR",)),
    ("LINT", "max({0}, 3)", ("INT",)), ("LSTR", "list_sort(list(DISTINCT {0}))", ("STR",)),
    ("FLT", "quantile_cont({0}, 0.3)", ("INT",)),
    ("FLT", "mad({0})", ("DBL",)),
    # Ties have the same value
    ("same", "arg_min({0}, {{'by': {1}, 'then': {0}}})", ("any", "ordered")),
    ("same", "arg_max({0}, {{'by': {1}, 'then': {0}}})", ("any", "ordered")),
    ("same", "any_value({0} ORDER BY {0})", ("any",)), ("same", "first({0} ORDER BY {1}, {0})", ("any", "ordered")),
    ("same", "last({0} ORDER BY {1} DESC, {0})", ("any", "any")),
    ("STR", "histogram({0})::VARCHAR", ("BOOL",)),
]
#: Need rows in a total order
RANKED: list[tuple[str, str, tuple[str, ...]]] = [
    ("INT", "row_number()", ()), ("INT", "ntile(4)", ()), ("same", "lag({0})", ("any",)),
    ("same", "lead({0}, 2)", ("any",)), ("same", "first_value({0})", ("any",)), ("same", "last_value({0})", ("any",)),
    ("same", "nth_value({0}, 2)", ("any",)), ("same", "lag({0} IGNORE NULLS)", ("any",)),
    ("same", "first_value({0} IGNORE NULLS)", ("any",)),
]
#: Peers get the same number
PEERS: list[tuple[str, str]] = [("INT", "rank()"), ("INT", "dense_rank()"), ("FLT", "percent_rank()"),
                                ("FLT", "cume_dist()")]
FRAMES = ("ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING",
          "ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
          "ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW")
PEER_FRAMES = ("", "", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
               "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
               "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "RANGE UNBOUNDED PRECEDING EXCLUDE TIES")
#: By the kind of the only key
DISTANCES = {"INT": ("2", "0"), "DATE": ("INTERVAL 3 DAY", "INTERVAL 1 MONTH"), "TS": ("INTERVAL 90 MINUTE",),
             "DEC": ("1.5",), "DBL": ("0.5",)}


def takes_clauses(call: str) -> bool:
    """FILTER and OVER belong right behind the aggregate function."""
    return not call.startswith("list_sort(") and not call.endswith("::VARCHAR")


class Aggregates(Expressions):
    def _argument_kind(self, wanted: str, scope: Scope) -> str:
        if wanted == "any":
            return self.kind_in(scope)
        return self.kind_in(scope, ORDERED) if wanted == "ordered" else wanted

    def _call(self, function: tuple[str, str, tuple[str, ...]], scope: Scope, depth: int) -> tuple[str, Node]:
        result, template, wanted = function
        kinds = [self._argument_kind(each, scope) for each in wanted]
        kind = kinds[0] if result == "same" else result
        arguments = [self.expr(each, scope, depth) for each in kinds]
        return kind, from_template(kind, template, arguments)

    def _usable(self, functions: list, wanted: str | None, scope: Scope, inexact: bool) -> list:
        present = {value.kind for value in scope.values}
        some = [each for each in functions if inexact or each[0] != "FLT"]
        if wanted:
            return [each for each in some if each[0] == wanted]
        return [each for each in some if all(kind in present or kind in ("any", "ordered") for kind in each[2])] or some

    def aggregate(self, scope: Scope, wanted: str | None = None, inexact: bool = False, depth: int = 1) -> Value:
        """A call; of the wanted kind if there is one."""
        functions = self._usable(AGGREGATES, wanted, scope, inexact)
        if wanted and (not functions or self.rng.random() < 0.3):
            argument = self.expr(wanted, scope, depth)
            kind, call = wanted, from_template(wanted, self.rng.choice(("min({0})", "max({0})")), [argument])
        else:
            kind, call = self._call(self.rng.choice(functions), scope, depth)
        if self.rng.random() < 0.15 and takes_clauses(str(call)):
            self.features.add("aggregate with FILTER")
            call = expression(kind, call, optional(" FILTER (WHERE ", self.predicate(scope, 1), ")"))
        return Value(call, kind, plain=False)

    def window(self, scope: Scope, inexact: bool) -> Value:
        rng = self.rng
        partition = [self.collated(*self.key(scope)) for _ in range(rng.choice((0, 1, 1, 1, 1, 2)))]
        order_keys = [self.key(scope, ORDERED) for _ in range(rng.randrange(3))]
        orders: list[Node] = [Node("order", self.collated(*key), self.direction()) for key in order_keys]
        kind_of_call = rng.randrange(4)
        frame = ""
        if kind_of_call == 0:
            kind, call = rng.choice([each for each in PEERS if inexact or each[0] != "FLT"])
            node = expression(kind, call)
            orders = orders or [Node("order", self.key(scope, ORDERED)[1], self.direction())]
        elif kind_of_call == 1:
            kind, node = self._call(rng.choice(RANKED), scope, 0)
            orders += self.total_order(scope)
        else:
            functions = [each for each in self._usable(AGGREGATES, None, scope, inexact)
                         if "ORDER BY" not in each[1] and takes_clauses(each[1])]
            kind, node = self._call(rng.choice(functions), scope, 0)
            if rng.random() < 0.4:
                orders += self.total_order(scope)
                frame = rng.choice(FRAMES)
            elif len(orders) == 1 and order_keys[0][0] in DISTANCES and rng.random() < 0.4:
                self.features.add("RANGE with a distance")
                distances = DISTANCES[order_keys[0][0]]
                frame = (f"RANGE BETWEEN {rng.choice(distances)} PRECEDING AND "
                         f"{rng.choice(('CURRENT ROW', rng.choice(distances) + ' FOLLOWING'))}")
            elif orders:
                frame = rng.choice(PEER_FRAMES)
            if rng.random() < 0.1:
                node = expression(kind, node, optional(" FILTER (WHERE ", self.predicate(scope, 0), ")"))
        over: list[str | Node] = []
        if partition:
            over.append(optional("PARTITION BY ", items(partition), " "))
        if orders:
            over.append(optional("ORDER BY ", items(orders), " "))
        if frame:
            over.append(optional(frame))
        return Value(expression(kind, node, " OVER (", *over, ")"), kind, plain=False)

    def direction(self) -> str:
        return self.rng.choice(("", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST", " NULLS FIRST"))

    def total_order(self, scope: Scope) -> list[Node]:
        """All columns: rows that are equal in them are the same rows."""
        values = scope.values[:]
        self.rng.shuffle(values)
        return [Node("order", value.sql, self.direction()) for value in values]
