"""The tests of reports.py: without pytest, and without the environment."""

import unittest

from reports import create_app

from cfaccess_mw.testing import AccessKit

kit = AccessKit("acme", "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2")


class Reports(unittest.TestCase):
    def setUp(self) -> None:
        self.client = create_app(**kit.options()).test_client()

    def test_nobody_gets_in(self) -> None:
        assert self.client.get("/").status_code == 401

    def test_alice_reads_her_reports(self) -> None:
        kit.sign_in(self.client, "alice@example.com")
        assert self.client.get("/").text == "The reports of alice@example.com"

    def test_what_is_not_accepted(self) -> None:
        for token in (kit.expired(), kit.wrong_audience(), kit.unknown_key(), kit.unsigned(), kit.metadata_token()):
            with kit.signed_in(self.client, token):
                assert self.client.get("/").status_code == 401
