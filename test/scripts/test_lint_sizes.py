"""How long functions and classes are: also where C++ makes it hard to see where one begins and ends."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lint"))

import sizes  # noqa: E402


def functions(text):
    return {(found.name, found.lines) for found in sizes.shapes_of(text)[0]}


def classes(text):
    return {(found.name, found.lines, found.fields) for found in sizes.shapes_of(text)[1]}


@pytest.mark.parametrize("text, expected", [
    ("int f() {\n}\n", ("f", 2)),
    ("\n// a comment { is not counted\nint f() { return 1; }\n", ("f", 1)),
    ("namespace a {\nnamespace {\nint\nf(int x)\n{\n\treturn x;\n}\n}\n}\n", ("f", 5)),
    ("namespace a::b {\n[[noreturn]] void f() {\n}\n}", ("f", 2)),
    ('extern "C" {\nvoid f() {\n}\n}', ("f", 2)),
    ("std::vector<int> A::B::f(int x) const noexcept {\n}\n", ("A::B::f", 2)),
    ("A::~A() {\n}\n", ("A::~A", 2)),
    ("template <class T,\n          class U = std::map<int, std::vector<T>>>\nT f(T x) {\n}\n", ("f", 4)),
    ("auto f() -> std::pair<int, int> {\n}\n", ("f", 2)),
    ("void f(X x = {}, Y y = Y {1, 2}) {\n}\n", ("f", 2)),
    ("void f(std::function<void()> g = [] { return; }) {\n}\n", ("f", 2)),
    # constructors: which brace begins the body?
    ("A::A(int x) : a(x), b {x}, c(std::move(x)) {\n\tx++;\n}\n", ("A::A", 3)),
    ("A::A() : a {1},\n b {[] { return 2; }()} {\n}\n", ("A::A", 3)),
    ("A::A() : Base<int> {1}, Other::Base(2) {\n}\n", ("A::A", 2)),
    ("struct A {\n\tA() : a(1) {\n\t}\n\tint a {0};\n};\n", ("A::A", 2)),
    # operators
    ("bool A::operator()(int x) const {\n}\n", ("A::operator()", 2)),
    ("bool operator<(const A &a, const A &b) {\n}\n", ("operator<", 2)),
    ("A &A::operator<<(int x) {\n}\n", ("A::operator<<", 2)),
    ("bool A::operator==(const A &a) const {\n}\n", ("A::operator==", 2)),
    ("A::operator bool() const {\n}\n", ("A::operator bool", 2)),
    ("A &operator=(A &&a) {\n}\n", ("operator=", 2)),
    # what only looks like a brace
    ('void f() {\n\tg("}");\n\tg(\'{\');\n\tg("\\"}");\n}\n', ("f", 5)),
    ('void f() {\n\tg(R"x(}\n)" } )x");\n}\n', ("f", 4)),
    ("void f() {\n\t// }\n\t/* }\n\t} */\n}\n", ("f", 5)),
    ("void f() {\n\tg(1'000'000);\n\tg('\\'');\n}\n", ("f", 4)),
    ("#define OPEN {\n#define LONG(x) \\\n\tvoid x() { \\\n\t}\nvoid f() {\n}\n", ("f", 2)),
    ("void f() {\n#ifdef A\n\tif (x) {\n#else\n\tif (y) {\n#endif\n\t}\n}\n", ("f", 8)),
    # lambdas belong to their function
    ("void f() {\n\tauto g = [&](int x) {\n\t\treturn x;\n\t};\n}\n", ("f", 5)),
    ("void f() {\n\tstruct Local {\n\t\tint a;\n\t} b;\n\tg(b);\n}\n", ("f", 6)),
    ("MACRO(name) {\n}\n", ("MACRO", 2)),
])
def test_one_function(text, expected):
    assert functions(text) == {expected}


def test_several_functions():
    text = ("class A {\npublic:\n\tint a() const {\n\t\treturn 1;\n\t}\n\tvoid b();\n\tstruct B {\n"
            "\t\tvoid c() {\n\t\t}\n\t};\n\tstatic void d() {}\n};\nvoid A::b() {\n}\n")
    assert functions(text) == {("A::a", 3), ("A::B::c", 2), ("A::d", 1), ("A::b", 2)}


def test_a_lambda_of_a_variable_counts_as_a_function():
    assert functions("const auto F = [](int x) {\n\treturn x;\n};\n") == {("[]", 3)}
    text = "const Row ROWS[] = {\n\t{1, [](int x) -> bool {\n\t\treturn x;\n\t}},\n\t{2, nullptr},\n};\n"
    assert functions(text) == {("[]", 3)}


@pytest.mark.parametrize("text", [
    "int x = 1;\n",
    "const std::vector<int> X {1, 2,\n3};\n",
    "const std::map<int, std::pair<int, int>> X = {{1, {2, 3}},\n{4, {5, 6}}};\n",
    "int x[] {1, 2};\n",
    "enum class E : int { A = 1 << 2, B };\n",
    "void f();\nvoid g(int x = 1);\n",
    "using F = std::function<void(int)>;\n",
])
def test_no_function(text):
    assert functions(text) == set()
    assert classes(text) == set()


@pytest.mark.parametrize("text, expected", [
    ("struct A {\n\tint a;\n\tint b = f(1);\n\tstd::map<int, std::pair<int, int>> c;\n};\n", ("A", 5, 3)),
    ("class A final : public B<int>, private C {\n\tint a {1};\n};\n", ("A", 3, 1)),
    ("template <class T>\nstruct A : B<T> {\n};\n", ("A", 3, 0)),
    ("template <>\nstruct A<int> {\n};\n", ("A", 3, 0)),
    ("struct alignas(8) A {\n\tint a;\n};\n", ("A", 3, 1)),
    ("struct A {\n\tint a, b;\n\tint c : 3, d : 4;\n\tint e[2] = {1, 2};\n\tint *f = nullptr, *g;\n};\n",
     ("A", 6, 7)),
    ("struct A {\n\tstd::function<void(int, int)> a;\n\tstd::atomic<bool> b {false};\n};\n", ("A", 4, 2)),
    ("struct A {\n\tmutable std::mutex a;\n\tconst int b = x < 1;\n\tT c GUARDED_BY(a) = 1;\n};\n", ("A", 5, 3)),
    ("class CAPABILITY(\"mutex\") A {\n\tint a GUARDED_BY(b) {0};\n\tvoid f() REQUIRES(b) {\n\t}\n};\n", ("A", 5, 1)),
    ("struct A {\n\tvoid f() REQUIRES(b);\n\tint a GUARDED_BY(b), c;\n\tMACRO(d);\n};\n", ("A", 5, 2)),
    # no fields
    ("struct A {\n\tstatic int a;\n\tstatic constexpr int B = 1;\n\tusing C = int;\n\ttypedef int D;\n"
     "\tfriend class E;\n\tenum class F { G, H };\n\tclass I;\n\tstatic_assert(true);\n};\n", ("A", 10, 0)),
    ("struct A {\n\tA();\n\t~A();\n\tA(const A &) = delete;\n\tint a() const;\n\tvirtual int b() = 0;\n"
     "\ttemplate <class T>\n\tvoid c(T t);\n\tbool operator==(const A &) const = default;\n};\n", ("A", 10, 0)),
    ("class A {\n\tint b() {\n\t\tint c;\n\t\treturn c;\n\t}\nprotected:\n\tint d;\n};\n", ("A", 8, 1)),
])
def test_one_class(text, expected):
    assert classes(text) == {expected}


def test_nested_classes_have_their_own_fields():
    text = "struct A {\n\tstruct B {\n\t\tint a, b;\n\t};\n\tstruct C {\n\t\tint c;\n\t} d;\n\tint e;\n};\n"
    assert classes(text) == {("A", 9, 2), ("A::B", 3, 2), ("A::C", 3, 1)}
    assert ("f::Local", 1, 2) in classes("void f() {\n\tint x;\n\tstruct Local { int a, b; };\n}\n")


def long_function(lines):
    return "void f() {\n" + "\tg();\n" * (lines - 2) + "}\n"


def test_limits():
    assert list(sizes.check("src/a/a.cpp", long_function(70))) == []
    assert [line for line, _ in sizes.check("src/a/a.cpp", "\n" + long_function(71))] == [2]
    fields = "struct A {\n" + "int a;\n" * 20 + "};\n"
    assert list(sizes.check("src/a/a.hpp", fields)) == []
    assert len(list(sizes.check("src/a/a.hpp", fields.replace("};", "int b;\n};")))) == 1
    longest = "struct A {\n" + "void f();\n" * 298 + "};\n"
    assert list(sizes.check("src/a/a.hpp", longest)) == []
    assert len(list(sizes.check("src/a/a.hpp", longest.replace("};", "\n};")))) == 1
    assert list(sizes.check("test/a.cpp", long_function(99))) == []


def test_an_exception_may_shrink_but_not_grow(monkeypatch):
    monkeypatch.setattr(sizes, "EXCEPTIONS", {("src/a/a.cpp", "f"): {"lines": 80}})
    assert list(sizes.check("src/a/a.cpp", long_function(80))) == []
    assert list(sizes.check("src/a/a.cpp", long_function(75))) == []
    assert "may shrink" in list(sizes.check("src/a/a.cpp", long_function(81)))[0][1]
    assert "no exception" in list(sizes.check("src/a/a.cpp", long_function(70)))[0][1]
    assert len(list(sizes.check("src/b/b.cpp", long_function(80)))) == 1
