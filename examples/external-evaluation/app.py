"""May this person in? The endpoint of an External Evaluation rule of Cloudflare Access.

    CFACCESS_TEAM=acme EVALUATION_KEYS=keys.json uvicorn app:app

or, for a WSGI server, ``gunicorn app:wsgi``. The file with the key is made once, and all processes read it::

    python -c "from cfaccess_mw.edge.external_evaluation import create_key_file; create_key_file('keys.json')"

Without ``EVALUATION_KEYS`` a key is made in memory, for one process on a laptop. In the rule at Cloudflare the Evaluate
URL is the address of this server, and the Keys URL the same with ``/keys/``.
"""

import os
from datetime import UTC, datetime

from cfaccess_mw.edge.external_evaluation import Applicant, ExternalEvaluation

ON_CALL = {"Mon": "alice@example.com", "Tue": "bob@example.com"}


async def may_in(applicant: Applicant) -> bool:
    """Admins always, everybody else on the days on which he is on call."""
    return "admins" in applicant.groups or applicant.email == ON_CALL.get(datetime.now(UTC).strftime("%a"))


evaluation = ExternalEvaluation(
    may_in,
    team=os.environ["CFACCESS_TEAM"],
    team_url=os.environ.get("CFACCESS_TEAM_URL"),
    signing_keys=os.environ.get("EVALUATION_KEYS"),
)
app = evaluation.asgi
wsgi = evaluation.wsgi
