"""ServiceCIDRs: ready as soon as they are there, kept while addresses depend on them."""

from proa.controllers.service_cidrs.controller import ServiceCIDRController

__all__ = ["ServiceCIDRController"]
