"""Words that were said of something else before, or of several things: one thing has one word here.

docs/concepts.md says what each word means. What happened before is told in its own words: docs/decisions and the
changelog are not checked.
"""

import re
from typing import NamedTuple

SOURCE = ("src/",)
EVERYWHERE = ("src/", "docs/", "README.md")
LEFT_ALONE = ("docs/decisions/",)


class Word(NamedTuple):
    pattern: str
    say: str
    where: tuple = SOURCE


# COPY, std::copy and Copy() mean what they always have; none of these fits them.
WORDS = (
    Word(r"\b(may_copy|copied_(left|right|inputs|bytes|side)|\w*Copyable\w*|MayCopy\w*|IsWorthCopying)\b"
         r"|\b(CopyStragglers?|StartCopy|KeepOnly)\b",
         "broadcast for rows, speculative for an attempt, write_files for COPY TO"),
    Word(r"\b(running_copies|copies_won|speculative cop(y|ies)|copy of (a|the) task|tasks are copied)\b",
         "a second or speculative attempt", EVERYWHERE),
    Word(r"\b(copied|copies|copy) [^.|]*\b(each|every|all|the|its) (tasks?|workers?)\b"
         r"|\b[Ss]ides? (is|are)\b[^.|]*\bcopied\b|\bcopied (join )?sides?\b|shuffled, not copied",
         "broadcast", EVERYWHERE),
    Word(r"\b\w*[dD]ealt\w*\b|\b[dD]eal(s|ing)?( \w+){0,3} out\b", "round robin, in turn, hand out", EVERYWHERE),
    Word(r"\b(ExchangeKind|StageKind)::SINGLE\b", "GATHER for rows to one task, RESULT for rows to the session"),
    Word(r"\benum (class )?Place\b|(?<![:\w])Place::", "Placement: where an operator runs"),
    Word(r"\bErrorKind::PLACE\b", "ErrorKind::WORKER_FAILURE"),
    Word(r"\bdriver (feeds|fed)\b|\bfed by (a|the) driver\b|\bstream (in|of) the driver\b",
         "the session: it owns the query", EVERYWHERE),
    Word(r"\bStageRuns?\b|\bstage_runs?\b", "StageExecution; a run is what is scheduled", EVERYWHERE),
    Word(r"\b\w*(JoinChance|join_chance|reads_chance|KeepChances|IsOpenChoice|expects_copy)\w*\b",
         "AdaptiveJoin: a join decided at run time", EVERYWHERE),
    Word(r"\b\w*(Needless|needless_)\w*\b", "skip_if_empty", EVERYWHERE),
    Word(r"\bSizeStage\b|\bSizedLate\b|\bsized_late\b|\bsized late\b", "ResolveTaskCount, deferred_task_count",
         EVERYWHERE),
    Word(r"\bKeep(Quer(y|ies)|Sessions)\b|\bkeep_(quer(y|ies)|sessions)\b|\bKeep\(const QueryId",
         "RenewLease, RenewLeases", EVERYWHERE),
    Word(r"\bMark(Kind|Payload|Buffer)\b|\b(Encode|Decode|Rows|Error|End)Mark\b|\bmarks beside\b", "StreamFrame",
         EVERYWHERE),
    Word(r"\bALONE\b", "without_stage", EVERYWHERE),
    Word(r"\b(Set)?[Gg]reet(s|ed|ing)?\b", "handshake", EVERYWHERE),
    Word(r"\b(class|struct) Guard\b|\b(Flight|Token|Auth)Guard\w*\b", "TokenAuth"),
    Word(r"\b(Can)?Travel(Schema|Field|Type|s)?\b", "Wire*: WireSchema, WireField, HasWireType"),
    Word(r"\b(class|struct) Trust\b|\bTrust[A-Z]\w*\b", "SessionRole"),
    Word(r"\bPlaceOf\w*\b|\bSidePlace\b|\bRemotePlace\b", "Placement for the planner's, Site for the client's"),
)
_COMPILED = [(re.compile(word.pattern), word) for word in WORDS]


def check(path, text):
    """(line number, problem) of one file."""
    if path.startswith(LEFT_ALONE):
        return
    rules = [(compiled, word) for compiled, word in _COMPILED if path.startswith(word.where)]
    for number, line in enumerate(text.splitlines(), 1) if rules else ():
        for compiled, word in rules:
            if match := compiled.search(line):
                yield number, f"'{match[0]}' is not what we call it any more, say: {word.say}"
