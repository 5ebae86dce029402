"""For every aggregate function of DuckDB 1.5.5: arguments to call it with, and what "equal" means for its result."""

from dataclasses import dataclass, replace

#: Columns of each kind of type, some NULL, groups that are NULL; 6000 rows so that samples hold all of a group
CREATE_TABLE = """
CREATE TABLE t AS SELECT
    n AS id,
    CASE WHEN n % 11 <> 10 THEN (n % 7)::INTEGER END AS g,
    CASE WHEN n % 13 <> 0 THEN ((n * 7919) % 10007)::INTEGER END AS i,
    (n % 16)::UTINYINT AS small,
    n * 1000000007 AS b,
    n::HUGEINT * 1000000000000000000000 AS h,
    CASE WHEN n % 17 <> 0 THEN ((n * 31) % 1009) / 1009.0::DOUBLE END AS x,
    ((n * 37 + n % 5) % 997) / 997.0::DOUBLE AS y,
    (n % 100)::FLOAT AS f,
    (((n * 7919) % 10007) / 100)::DECIMAL(12, 2) AS d,
    n::DECIMAL(30, 4) AS d38,
    n::BIGNUM AS big,
    CASE WHEN n % 5 < 3 THEN 42 ELSE n % 50 END AS common,
    CASE WHEN n % 10 < 5 THEN 'a' WHEN n % 10 < 8 THEN 'b' ELSE 'c' END AS letter,
    CASE WHEN n % 19 <> 0 THEN 'string number ' || ((n * 7919) % 10007) END AS s,
    CASE WHEN n % 23 <> 0 THEN n % 2 = 0 END AS flag,
    DATE '2000-01-01' + n::INTEGER AS day,
    TIMESTAMP '2000-01-01' + INTERVAL (n) MINUTE AS moment,
    TIME '00:00:00' + INTERVAL (n) SECOND AS clock,
    INTERVAL (n) HOUR AS span,
    [n % 3, NULL, n] AS l,
    {'a': n % 4, 'b': 'x' || n} AS st,
    (n % 256)::UTINYINT::BIT AS bits,
    ('blob ' || n)::BLOB AS bytes,
FROM range(6000) r(n)
"""

#: What "equal" means
EXACT = "exact"            # the value, floats to the last digits
ELEMENTS = "elements"      # a list or text with the same elements in any order
MEMBER = "member"          # one of the group's values
NEAR_RANK = "near rank"    # an approximation: the value's rank in the group is near the asked one
#: How far the rank of an approximate median may be off
RANK_TOLERANCE = 0.1


@dataclass(frozen=True)
class Case:
    function: str
    arguments: str
    equality: str = EXACT
    #: Also when the rows come in a given order, or without duplicates
    always: bool = False
    window_only: bool = False

    def call(self, variant: str) -> str:
        if self.window_only:
            return f"{self.function}({self.arguments}) OVER (PARTITION BY g ORDER BY id)"
        inside = {"DISTINCT": f"DISTINCT {self.arguments}", "ORDER BY": f"{self.arguments} ORDER BY id"}
        return f"{self.function}({inside.get(variant, self.arguments)})" + \
            (" FILTER (id % 3 = 0)" if variant == "FILTER" else "")

    def equality_of(self, variant: str) -> str:
        if variant == "ORDER BY" and not self.always:
            return EXACT
        if variant == "DISTINCT" and self.function in ("mode", "approx_top_k"):
            return MEMBER if self.function == "mode" else ELEMENTS
        return self.equality


VARIANTS = ("ungrouped", "grouped", "FILTER", "DISTINCT", "ORDER BY")

_NUMBERS = ("i", "b", "h", "small", "x", "f", "d", "d38")
_TWO = ("x, y", "y, x", "i, f")
_ORDERED = (*_NUMBERS, "s", "flag", "day", "moment", "clock", "span", "l", "st", "bits", "bytes", "big")
_ARG = ("s, id", "i, id", "id, i", "d, x + id", "l, id", "st, day", "day, moment", "x, s || id", "s, id, 3")
_QUANTILE = ("i, 0.5", "i, [0.1, 0.5, 0.9]", "x, 0.25", "d, 0.75", "day, 0.5", "moment, 0.5")
_DOUBLES = ("x", "y", "i", "d")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "any_value": _ORDERED, "arbitrary": ("i", "s"), "first": _ORDERED, "last": _ORDERED,
    "approx_count_distinct": ("i", "s", "letter", "st"),
    "approx_quantile": ("i, 0.5", "x, 0.5", "d, 0.5", "moment, 0.5"),
    "approx_top_k": ("letter, 3",),
    "arg_max": _ARG, "arg_min": _ARG,
    "arg_max_null": _ARG[:-1], "arg_min_null": _ARG[:-1], "arg_max_nulls_last": _ARG, "arg_min_nulls_last": _ARG,
    "list": ("i", "s", "l", "st", "bytes", "span"), "array_agg": ("i", "s"),
    "avg": (*_NUMBERS, "span", "moment", "day", "clock"), "mean": ("i", "d"), "favg": _DOUBLES,
    "bit_and": ("i", "small", "b", "h", "bits"), "bit_or": ("i", "small", "b", "h", "bits"),
    "bit_xor": ("i", "small", "b", "h", "bits"),
    "bitstring_agg": ("small", "small, 0, 20", "i, 0, 20000"),
    "bool_and": ("flag", "id >= 0"), "bool_or": ("flag", "id < 0"),
    "count": ("", "*", "i", "s", "st"), "count_star": ("",), "count_if": ("flag", "i > 100"), "countif": ("flag",),
    "corr": _TWO, "covar_pop": _TWO, "covar_samp": _TWO,
    "entropy": ("letter", "common", "s"),
    "fsum": _DOUBLES, "kahan_sum": _DOUBLES, "sumkahan": _DOUBLES,
    "group_concat": ("s", "s, ','"), "listagg": ("s", "s, ','"), "string_agg": ("s", "i, ','", "s, ','"),
    "histogram": ("letter", "small", "i, [100, 1000, 5000]", "d, [10, 50]"),
    "histogram_exact": ("small, [1, 2, 3]", "letter, ['a', 'z']"),
    "kurtosis": ("x", "y"), "kurtosis_pop": ("x", "y"), "skewness": ("x", "y"), "sem": ("x", "i"),
    "mad": ("i", "x", "d", "day", "moment", "clock"),
    "max": (*_ORDERED, "i, 3", "s, 2"), "min": (*_ORDERED, "i, 3", "s, 2"),
    "max_by": ("s, id",), "min_by": ("s, id",), "argmax": ("s, id",), "argmin": ("s, id",),
    "median": ("i", "x", "d", "s", "day", "moment"), "mode": ("common", "letter"),
    "product": ("1 + x / 1000", "small"),
    "quantile": (*_QUANTILE, "s, 0.5"), "quantile_cont": _QUANTILE, "quantile_disc": (*_QUANTILE, "s, 0.5"),
    "regr_avgx": _TWO, "regr_avgy": _TWO, "regr_count": _TWO, "regr_intercept": _TWO, "regr_r2": _TWO,
    "regr_slope": _TWO, "regr_sxx": _TWO, "regr_sxy": _TWO, "regr_syy": _TWO,
    "reservoir_quantile": ("i, 0.5", "x, 0.5", "d, 0.5"),
    "stddev": _DOUBLES, "stddev_pop": _DOUBLES, "stddev_samp": _DOUBLES,
    "sum": (*_NUMBERS, "flag", "big"), "sum_no_overflow": ("i", "d"),
    "var_pop": _DOUBLES, "var_samp": _DOUBLES, "variance": _DOUBLES,
}

#: Listed among the aggregates, but DuckDB runs them only with OVER
WINDOW_ARGUMENTS: dict[str, str] = {
    "cume_dist": "", "dense_rank": "", "rank": "", "rank_dense": "", "row_number": "", "percent_rank": "",
    "ntile": "4", "lag": "i, 2, -1", "lead": "s, 1", "first_value": "s", "last_value": "i", "nth_value": "s, 2",
    "fill": "x",
}

EQUALITIES = {
    "any_value": MEMBER, "arbitrary": MEMBER, "first": MEMBER, "last": MEMBER,
    "list": ELEMENTS, "array_agg": ELEMENTS, "group_concat": ELEMENTS, "listagg": ELEMENTS, "string_agg": ELEMENTS,
    "approx_quantile": NEAR_RANK, "reservoir_quantile": NEAR_RANK,
}


def cases() -> list[Case]:
    result = []
    for function, arguments in sorted(ARGUMENTS.items()):
        equality = EQUALITIES.get(function, EXACT)
        result += [Case(function, each, equality, always=equality == NEAR_RANK) for each in arguments]
    for function, arguments in sorted(WINDOW_ARGUMENTS.items()):
        result.append(Case(function, arguments, window_only=True))
    return result


def without_over(case: Case) -> Case:
    return replace(case, window_only=False)
