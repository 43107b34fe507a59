"""The authorization modes that ask nobody: AlwaysAllow and AlwaysDeny."""

from __future__ import annotations

from proa.apiserver.identity import ALLOW, AccessAttributes, DecidesFromMemory, Decision, SubjectRules, User, Verdict


class AlwaysAllow(DecidesFromMemory):
    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return ALLOW

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        return SubjectRules((everything,), ({"verbs": ["*"], "nonResourceURLs": ["*"]},))


class AlwaysDeny(DecidesFromMemory):
    """Leaves nothing but what another mode allows."""

    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return Decision(Verdict.NO_OPINION, "Everything is forbidden.")

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()
