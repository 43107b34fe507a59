"""The authorizer as expressions see it, which cannot wait, although the server's may have to.

An expression is evaluated; a question that only somebody outside can answer interrupts it, is answered, and the
expression is evaluated once more. An expression can afford two questions, so that is soon over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from proa.apiserver.admission import Attributes
from proa.apiserver.identity import AUTHENTICATED, AccessAttributes, Authorizer, User, Verdict
from proa.apiserver.identity import Decision as Answer
from proa.machinery.expressions import authorization
from proa.machinery.expressions.authorization import Decision, Question, ResourceCheck

_ACCOUNTS = "system:serviceaccounts"
_T = TypeVar("_T")


class _Pending(BaseException):
    """Not an Exception: nothing on the way to `settled` may take it for an error of the expression."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.question = question


class Decisions:
    """What the authorizer says of one request's user, and of others in the request's name."""

    def __init__(self, authorizer: Authorizer | None, user: User) -> None:
        self._authorizer = authorizer
        self._user = user
        self._known: dict[Question, Decision] = {}
        self.variable = authorization.Authorizer(self._decide)

    def resource_of(self, attributes: Attributes) -> ResourceCheck:
        """The value of `authorizer.requestResource`."""
        question = Question(
            "",
            group=attributes.resource.group,
            resource=attributes.resource.plural,
            subresource=attributes.subresource,
            namespace=attributes.namespace,
            name=attributes.name,
        )
        return ResourceCheck(self.variable, question)

    async def settled(self, evaluate: Callable[[], _T]) -> _T:
        """What `evaluate` gives, which asks as often as it wants."""
        while True:
            try:
                return evaluate()
            except _Pending as pending:
                question = pending.question
            assert self._authorizer is not None
            self._known[question] = _decision(await self._authorizer.decide(self._attributes(question)))

    def _decide(self, question: Question) -> Decision:
        known = self._known.get(question)
        if known is not None:
            return known
        if self._authorizer is None:
            return Decision(True)
        answer = self._authorizer.authorize(self._attributes(question))
        if answer.verdict is Verdict.UNKNOWN:
            raise _Pending(question)
        found = self._known[question] = _decision(answer)
        return found

    def _attributes(self, question: Question) -> AccessAttributes:
        user = self._user if question.service_account is None else _account(*question.service_account)
        if question.path:
            return AccessAttributes(user, question.verb, path=question.path, is_resource=False)
        return AccessAttributes(
            user,
            question.verb,
            group=question.group,
            version="*",
            resource=question.resource,
            subresource=question.subresource,
            namespace=question.namespace,
            name=question.name,
            field_selector=question.field_selector,
            label_selector=question.label_selector,
        )


def _decision(answer: Answer) -> Decision:
    return Decision(answer.allowed, answer.reason, answer.error)


def _account(namespace: str, name: str) -> User:
    groups = (_ACCOUNTS, f"{_ACCOUNTS}:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups=groups)
