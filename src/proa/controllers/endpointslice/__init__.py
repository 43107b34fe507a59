"""EndpointSlices (discovery.k8s.io/v1): who answers for each Service, in pieces small enough to send around."""

from proa.controllers.endpointslice.controller import EndpointSliceController

__all__ = ["EndpointSliceController"]
