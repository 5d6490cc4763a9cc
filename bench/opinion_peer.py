"""The peer's side of `bench/opinion.py`: red-dwarf 0.4.0, in its own environment and its own process.

Reads one JSON request a line on standard input and answers one JSON line each: `load` a vote matrix, `run`
the whole pipeline (timed here: neither start-up nor transport counts), `judge` groups that are given to it.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from reddwarf.implementations.base import run_pipeline
from reddwarf.utils.consensus import select_consensus_statements
from reddwarf.utils.matrix import generate_raw_matrix
from reddwarf.utils.stats import calculate_comment_statistics_dataframes, select_representative_statements
from scipy.stats import norm

CONFIDENCE = float(norm.cdf(1.2816))  # the published critical value; the library's own default is 1.28155


class Peer:
    """A conversation in the form the library takes: one dictionary a vote (the last of each pair)."""

    def load(self, path: str, rejected: list[int]) -> dict[str, Any]:
        stored = np.load(path)
        columns = (stored["participant"], stored["statement"], stored["vote"])
        names = ("participant_id", "statement_id", "vote")
        self.votes = [
            dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)
        ]
        self.rejected = rejected
        return {"votes": len(self.votes)}

    def run(self) -> dict[str, Any]:
        """Seconds of the whole pipeline, and of its first step (dictionaries to a matrix) alone."""
        start = time.perf_counter()
        generate_raw_matrix(votes=self.votes)
        matrix = time.perf_counter() - start
        start = time.perf_counter()
        result = run_pipeline(votes=self.votes, mod_out_statement_ids=self.rejected, random_state=1)
        total = time.perf_counter() - start
        people = result.participants_df
        placed = people[people["to_cluster"]]
        statements = result.statements_df
        return {
            "total": total,
            "matrix": matrix,
            "participants": placed.index.tolist(),
            "groups": [int(g) for g in placed["cluster_id"]],
            "statements": statements.index.tolist(),
            "components": [statements["pc1"].tolist(), statements["pc2"].tolist()],
            "extremity": statements["extremity"].tolist(),
        }

    def judge(self, participants: list[int], groups: list[int]) -> dict[str, Any]:
        """Representative, consensus and group-aware consensus statements of groups that are given."""
        raw = generate_raw_matrix(votes=self.votes)
        stats, aware = calculate_comment_statistics_dataframes(raw.loc[participants, :], np.array(groups))
        repness = select_representative_statements(stats, self.rejected, 5, CONFIDENCE)
        consensus = select_consensus_statements(raw, self.rejected, 5, 0.5, CONFIDENCE)
        return {
            "representative": [
                [[int(one["tid"]), one["repful-for"] == "agree"] for one in repness[g]]
                for g in sorted(repness)
            ],
            "agree": [int(one["tid"]) for one in consensus["agree"]],
            "disagree": [int(one["tid"]) for one in consensus["disagree"]],
            "statements": raw.columns.tolist(),
            "group_aware": aware["group-aware-consensus"].tolist(),
        }


def main() -> None:
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(peer, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
