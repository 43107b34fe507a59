"""Certificate signing requests: approved where they are a node's own, signed, and cleaned up."""

from proa.controllers.certificates.approver import CertificateApprover
from proa.controllers.certificates.cleaner import CertificateCleaner
from proa.controllers.certificates.signer import CertificateSigner

__all__ = ["CertificateApprover", "CertificateCleaner", "CertificateSigner"]
