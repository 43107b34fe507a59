"""What a namespace is charged for its objects, and whether that stays within its ResourceQuotas. Pure.

`evaluators` measure objects, `scopes` say which objects a quota is about, `charge` decides about one request, `total`
adds up a whole namespace. Not here: keeping `status.used` (admission and the ResourceQuota controller do).
"""

from proa.rules.quota.charge import Limited, QuotaRefusedError, Request, charge
from proa.rules.quota.evaluators import COUNT_PREFIX, EVALUATORS, IGNORED, Evaluator, evaluator_of
from proa.rules.quota.total import sources_of, total

__all__ = [
    "COUNT_PREFIX",
    "EVALUATORS",
    "IGNORED",
    "Evaluator",
    "Limited",
    "QuotaRefusedError",
    "Request",
    "charge",
    "evaluator_of",
    "sources_of",
    "total",
]
