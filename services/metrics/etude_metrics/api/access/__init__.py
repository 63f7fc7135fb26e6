"""Access: who asks, and what they may. Where tokens are not needed, whoever reaches the service may do everything."""

from etude_metrics.api.access.guard import Access, Guard
from etude_metrics.api.access.tokens import Tokens

__all__ = ["Access", "Guard", "Tokens"]
