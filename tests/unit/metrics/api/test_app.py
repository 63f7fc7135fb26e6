"""The query API: pages, curves, answers to what does not exist."""

from typing import Any

import pytest

from etude.events import (
    AllocationEnded,
    AllocationStarted,
    BestTrial,
    CloseReason,
    EndReason,
    Event,
    ExperimentActivated,
    ExperimentProgressed,
    Length,
    LogLine,
    LogWritten,
    RunnerLogged,
    RunnerLogLine,
    TrainingPoint,
    TrainingReported,
    TrialClosed,
)
from etude.store.schema import SEARCH_LOG
from tests.unit.make import MODEL, NOW, created, envelope, later, raw_config, validation
from tests.unit.metrics.api.asking import Api, pages, requested


async def test_experiments_come_in_pages_the_latest_first(api: Api) -> None:
    for number in range(5):
        await api.tell(created(raw_config(name=f"n{number}")), experiment_id=f"exp-{number}", seconds=number)
    found = await pages(api, "/experiments", 2)
    assert [[e["name"] for e in page] for page in found] == [["n4", "n3"], ["n2", "n1"], ["n0"]]


async def test_experiments_are_filtered_by_state(api: Api) -> None:
    await api.tell(created(), experiment_id="one")
    await api.tell(created(), ExperimentActivated(revision=0, config=raw_config(), model_definition=MODEL))
    [only] = (await api.get("/experiments", state="active"))["items"]
    assert only["experiment_id"] == "exp"


async def test_experiments_are_found_by_label_owner_text_and_whether_they_are_archived(api: Api) -> None:
    for name, owner, labels in (("vision", "ann", ["gpu", "big"]), ("Speech", "bob", ["gpu"]), ("vision 2", "bob", [])):
        event = created(raw_config(name=name, labels=labels)).model_copy(update={"owner": owner})
        await api.tell(event, experiment_id=name.replace(" ", "-"))

    async def found(**query: object) -> list[str]:
        return [e["name"] for e in (await api.get("/experiments", sort="name", **query))["items"]]

    assert await found() == ["Speech", "vision", "vision 2"]
    assert await found(label="gpu") == ["Speech", "vision"]
    assert await found(owner="bob", text="VISION") == ["vision 2"]
    assert await found(text="speech") == ["Speech"]
    assert await found(archived=True) == []


async def test_experiments_are_sorted_by_what_the_asker_wants_those_without_it_last(api: Api) -> None:
    for number, best in enumerate([0.5, None, 0.1]):
        await api.tell(created(raw_config(name=f"n{number}")), experiment_id=f"exp-{number}", seconds=number)
        if best is not None:
            trial = BestTrial(trial_id=1, metric="loss", value=best, length=1, hyperparameters={})
            told = ExperimentProgressed(revision=1, progress=best, trials=1, best=trial)
            await api.tell(told, experiment_id=f"exp-{number}")

    async def names(sort: str, limit: int = 2) -> list[str]:
        return [e["name"] for page in await pages(api, "/experiments", limit, sort=sort) for e in page]

    assert await names("created_at") == ["n0", "n1", "n2"]
    assert await names("best") == ["n2", "n0", "n1"]
    assert await names("-best") == ["n0", "n2", "n1"]
    assert await names("-name", 1) == ["n2", "n1", "n0"]
    await api.get("/experiments", 422, sort="colour")


async def test_an_answer_that_the_asker_has_is_not_sent_again(api: Api) -> None:
    await api.tell(created())
    first = await api.http.get("/api/v1/experiments/exp")
    again = await api.http.get("/api/v1/experiments/exp", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await api.tell(requested(1))
    assert (await api.http.get("/api/v1/experiments/exp", headers={"If-None-Match": first.headers["etag"]})).is_success


async def test_what_looks_like_a_secret_is_masked(api: Api) -> None:
    variables = {"cpu": ["AWS_SECRET_ACCESS_KEY=abc", "COLOUR=red"]}
    storage = {"type": "s3", "bucket": "b", "secret_key": "abc"}
    await api.tell(created(raw_config(environment={"environment_variables": variables}, checkpoint_storage=storage)))
    config = (await api.get("/experiments/exp"))["config"]
    assert config["environment"]["environment_variables"] == {"cpu": ["AWS_SECRET_ACCESS_KEY=********", "COLOUR=red"]}
    assert config["checkpoint_storage"] == {"type": "s3", "bucket": "b", "secret_key": "********"}


async def test_an_experiment_counts_its_trials_by_state(api: Api) -> None:
    await api.tell(created(), requested(1), requested(2), TrialClosed(trial_id=2, reason=CloseReason.FINISHED))
    experiment = await api.get("/experiments/exp")
    assert experiment["trial_states"] == {"waiting": 1, "finished": 1}
    assert experiment["config"]["searcher"]["metric"] == "loss"


async def test_trials_come_by_number_and_by_state(api: Api) -> None:
    await api.tell(created(), *map(requested, range(1, 13)), TrialClosed(trial_id=5, reason=CloseReason.STOPPED))
    found = await pages(api, "/experiments/exp/trials", 5)
    assert [[t["trial_id"] for t in page] for page in found] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]
    assert [t["trial_id"] for t in (await api.get("/experiments/exp/trials", state="stopped"))["items"]] == [5]
    assert (await api.get("/experiments/exp/trials/5"))["state"] == "stopped"


async def many_trials(api: Api) -> None:
    """Six trials: rates 0.1 to 0.6, of which three have a loss, falling."""
    trials = [
        requested(n).model_copy(update={"hyperparameters": {"rate": n / 10, "net": {"w": n % 2}}}) for n in range(1, 7)
    ]
    results = [validation(n, 100, loss=1 / n, accuracy=n / 10) for n in (1, 2, 3)]
    await api.tell(created(), *trials, *results)


@pytest.mark.parametrize(
    ("sort", "numbers"),
    [
        ("-trial_id", [6, 5, 4, 3, 2, 1]),
        ("best", [3, 2, 1, 4, 5, 6]),
        ("-loss", [1, 2, 3, 4, 5, 6]),
        ("-metrics.accuracy", [3, 2, 1, 4, 5, 6]),
        ("-rate", [6, 5, 4, 3, 2, 1]),
        ("net.w", [2, 4, 6, 1, 3, 5]),
        ("-hyperparameters.net.w", [1, 3, 5, 2, 4, 6]),
        ("nothing", [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_trials_are_sorted_by_any_field_metric_or_hyperparameter(api: Api, sort: str, numbers: list[int]) -> None:
    await many_trials(api)
    found = await pages(api, "/experiments/exp/trials", 2, sort=sort)
    assert [trial["trial_id"] for page in found for trial in page] == numbers


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("rate > 0.2 and rate < 0.5", [3, 4]),
        ("loss < 0.6", [2, 3]),
        ("metrics.accuracy >= 0.2 and net.w == 1", [3]),
        ("state == 'waiting' and trial_id in [1, 2, 9]", [1, 2]),
        ("best < 0.4", [3]),
    ],
)
async def test_trials_are_found_by_an_expression(api: Api, where: str, numbers: list[int]) -> None:
    await many_trials(api)
    found = await pages(api, "/experiments/exp/trials", 2, where=where)
    assert [trial["trial_id"] for page in found for trial in page] == numbers


async def test_an_expression_that_makes_no_sense_is_a_problem(api: Api) -> None:
    await many_trials(api)
    for where, part in (
        ("rate >", "is no expression"),
        ("__import__('os')", "is not allowed"),
        ("rate < 'a'", "computed"),
    ):
        problem = await api.get("/experiments/exp/trials", 422, where=where)
        assert part in problem["detail"]
        assert problem["errors"][0]["path"] == "query.where"


async def test_a_table_of_trials_follows_what_changes(api: Api) -> None:
    await many_trials(api)
    await api.get("/experiments/exp/trials")
    await api.tell(requested(7), validation(5, 100, loss=0.01))
    found = (await api.get("/experiments/exp/trials", sort="best"))["items"]
    assert [trial["trial_id"] for trial in found] == [5, 3, 2, 1, 4, 6, 7]


async def test_where_and_when_a_trial_ran(api: Api) -> None:
    for lease, reason in ((1, EndReason.PREEMPTED), (2, None)):
        began = AllocationStarted(runner_id=f"r{lease}", trial_id=1, lease_number=lease, slots=["0"])
        await api.tell(created(), requested(1), began, seconds=lease)
        if reason:
            await api.tell(
                AllocationEnded(runner_id=f"r{lease}", trial_id=1, lease_number=lease, reason=reason),
                seconds=lease + 0.5,
            )
    first, second = (await api.get("/experiments/exp/trials/1/allocations"))["items"]
    assert (first["runner_id"], first["reason"], first["began"] < first["ended"]) == ("r1", "preempted", True)
    assert (second["runner_id"], second["ended"], second["slots"]) == ("r2", None, ["0"])
    [there] = (await api.get("/runners/r2/allocations"))["items"]
    assert there["trial_id"] == 1


async def test_training_curves_are_thinned_out_and_keep_their_peaks(api: Api) -> None:
    await api.tell(created(), requested(1))
    values = [100.0 if n == 517 else float(n % 7) for n in range(1000)]
    for lease, first in ((1, 0), (2, 400)):
        points = [
            TrainingPoint(length=Length.batches(n), metrics={"loss": values[n]}, time=NOW) for n in range(first, 1000)
        ]
        await api.handlers.handle_telemetry([envelope(TrainingReported(trial_id=1, lease_number=lease, points=points))])
    [curve] = (await api.get("/experiments/exp/trials/1/training-curves", max_points=50))["items"]
    assert len(curve["lengths"]) <= 50
    assert (curve["metric"], curve["lengths"][0], curve["lengths"][-1]) == ("loss", 0, 999)
    assert max(curve["values"]) == 100.0
    assert curve["lengths"] == sorted(set(curve["lengths"]))
    [whole] = (await api.get("/experiments/exp/trials/1/training-curves", max_points=1000))["items"]
    assert whole["values"] == values


async def test_the_decisions_about_one_trial(api: Api) -> None:
    log = [
        {
            "_id": f"exp:{seq}",
            "experiment_id": "exp",
            "seq": seq,
            "at": NOW.isoformat(),
            "cause": {"id": "c", "type": "etude.validation.completed.v1", "data": {"trial_id": seq % 3}},
            "events": [{"type": "etude.trial.closed.v1", "data": {"trial_id": seq % 3}}],
            "reasons": [f"because {seq}"],
        }
        for seq in range(9)
    ]
    await api.tell(created())
    await api.store.insert(SEARCH_LOG, log)
    found = await pages(api, "/experiments/exp/decisions", 2, trial_id=1)
    assert [[d["seq"] for d in page] for page in found] == [[1, 4], [7]]
    assert found[0][0]["reasons"] == ["because 1"]


async def test_the_best_trials_come_first_and_those_without_a_result_not_at_all(api: Api) -> None:
    results = [validation(1, 100, loss=0.5), validation(2, 100, loss=0.1), validation(3, 100, loss=0.3)]
    await api.tell(created(), *map(requested, (1, 2, 3, 4)), *results)
    assert [t["trial_id"] for t in (await api.get("/experiments/exp/best-trials"))["items"]] == [2, 3, 1]
    assert [t["trial_id"] for t in (await api.get("/experiments/exp/best-trials", limit=1))["items"]] == [2]


async def test_validations_and_the_best_so_far(api: Api) -> None:
    losses = [0.5, 0.7, 0.3, 0.4, 0.1]
    await api.tell(created(), *(validation(n + 1, 100, loss=loss) for n, loss in enumerate(losses)))
    found = await pages(api, "/experiments/exp/validations", 2)
    assert [v["metrics"]["loss"] for page in found for v in page] == losses
    improving = await pages(api, "/experiments/exp/best-validations", 2)
    assert [v["metrics"]["loss"] for page in improving for v in page] == [0.5, 0.3, 0.1]
    [only] = (await api.get("/experiments/exp/validations", trial_id=3))["items"]
    assert only["metrics"] == {"loss": 0.3}


async def test_learning_curves_are_sorted_by_length_and_may_be_of_any_metric(api: Api) -> None:
    await api.tell(
        created(),
        requested(2),
        validation(1, 200, loss=0.4, accuracy=0.8),
        validation(1, 100, loss=0.5, accuracy=0.7),
        validation(1, 300, loss=float("nan")),
    )
    first, second = (await api.get("/experiments/exp/learning-curves"))["items"]
    assert (first["lengths"], first["values"]) == ([100, 200, 300], [0.5, 0.4, None])
    assert (second["trial_id"], second["lengths"]) == (2, [])
    other = (await api.get("/experiments/exp/learning-curves", metric="accuracy", limit=1))["items"]
    assert other[0]["values"] == [0.7, 0.8, None]


async def test_what_a_runner_logged_the_latest_of_it_in_order(api: Api) -> None:
    def logged(session: str, number: int) -> RunnerLogged:
        line = RunnerLogLine(time=NOW, level="info", text=f"{session}:{number}")
        return RunnerLogged(runner_id="gpu-7", session=session, number=number, lines=[line])

    told = [*(logged("a", number) for number in range(1, 1003)), *(logged("b", number) for number in range(1, 4))]
    for first in range(0, len(told), 256):
        await api.handlers.handle_telemetry([envelope(event, None) for event in told[first : first + 256]])
    await api.handlers.handle_telemetry([envelope(logged("a", 2), None)])  # late, and again
    found = [line["text"] for page in await pages(api, "/runners/gpu-7/logs", 300) for line in page]
    assert found == [*(f"a:{number}" for number in range(4, 1001)), "b:1", "b:2", "b:3"]
    assert (await api.get("/runners/gpu-8/logs"))["items"] == []


async def test_training_metrics_and_logs_of_a_trial(api: Api) -> None:
    await api.tell(created(), requested(1))
    telemetry: list[Event] = []
    for lease in (1, 2):
        for first in (0, 2):
            points = [
                TrainingPoint(length=Length.batches(first + n), metrics={"loss": lease}, time=NOW) for n in (0, 1)
            ]
            telemetry.append(TrainingReported(trial_id=1, lease_number=lease, points=points))
            lines = [LogLine(time=NOW, stream="stdout", text=f"{lease}:{first + n}") for n in (0, 1)]
            telemetry.append(LogWritten(trial_id=1, lease_number=lease, first=first, lines=lines))
    await api.handlers.handle_telemetry([envelope(event) for event in reversed(telemetry)])
    found = await pages(api, "/experiments/exp/trials/1/logs", 3)
    assert [[line["text"] for line in page] for page in found] == [
        ["1:0", "1:1", "1:2", "1:3"],
        ["2:0", "2:1", "2:2", "2:3"],
    ]
    curve = (await api.get("/experiments/exp/trials/1/training"))["items"]
    assert [(p["lease_number"], p["length"]) for p in curve] == [(n, k) for n in (1, 2) for k in range(4)]


async def test_what_all_trials_wrote_is_told_in_the_order_in_which_it_came(api: Api) -> None:
    await api.tell(created(), requested(1), requested(2))
    for second, (trial_id, first) in enumerate([(1, 0), (2, 0), (1, 2), (2, 2)]):
        lines = [LogLine(time=later(second), stream="stdout", text=f"{trial_id}:{first + n}") for n in (0, 1)]
        written = LogWritten(trial_id=trial_id, lease_number=1, first=first, lines=lines)
        await api.handlers.handle_telemetry([envelope(written)])

    def texts(found: list[dict[str, Any]]) -> str:
        assert all(line["text"].startswith(f"{line['trial_id']}:") for line in found)
        return " ".join(line["text"] for line in found)

    path = "/experiments/exp/logs"
    assert [texts(page) for page in await pages(api, path, 3)] == ["1:0 1:1 2:0 2:1", "1:2 1:3 2:2 2:3"]
    assert texts((await api.get(path, since=later(2).isoformat()))["items"]) == "1:2 1:3 2:2 2:3"
    assert texts((await api.get(path, latest=True, limit=3))["items"]) == "1:3 2:2 2:3"
    await api.get("/experiments/nothing/logs", 404)
    await api.get(path, 422, since="yesterday")


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/experiments/nothing", "no experiment nothing; GET /api/v1/experiments lists those that there are"),
        ("/experiments/nothing/trials", "no experiment nothing"),
        ("/experiments/nothing/validations", "no experiment nothing"),
        ("/experiments/exp/trials/9", "experiment exp has no trial 9"),
        ("/experiments/exp/trials/9/logs", "experiment exp has no trial 9"),
        ("/experiments/exp/trials/9/checkpoints", "experiment exp has no trial 9"),
    ],
)
async def test_what_does_not_exist_is_named(api: Api, path: str, detail: str) -> None:
    await api.tell(created())
    assert (await api.get(path, 404))["detail"].startswith(detail)


async def test_an_experiment_that_only_strangers_talk_of_does_not_exist(api: Api) -> None:
    await api.tell(validation(1, 100), experiment_id="stranger")
    await api.get("/experiments/stranger", 404)
    assert (await api.get("/experiments"))["items"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/experiments", {"limit": 0}),
        ("/experiments", {"limit": 1001}),
        ("/experiments/exp/trials", {"cursor": "x"}),
        ("/experiments/exp/trials", {"cursor": "W1swLCAwLCBbXV0sIDVd"}),
        ("/experiments", {"cursor": "bnVsbA=="}),
        ("/experiments/exp/trials", {"sort": "a b"}),
        ("/experiments/exp/learning-curves", {"max_points": 1}),
        ("/experiments/exp/validations", {"cursor": "-1"}),
        ("/experiments/exp/trials/x", {}),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(api: Api, path: str, query: dict) -> None:
    await api.tell(created(), requested(1))
    answer = await api.http.get(f"/api/v1{path}", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == 422
    assert problem["detail"]


async def test_a_page_that_does_not_exist_is_a_problem_too(api: Api) -> None:
    problem = await api.get("/nothing", 404)
    assert (problem["status"], problem["title"]) == (404, "Not Found")


async def test_health_readiness_and_figures(api: Api) -> None:
    assert (await api.http.get("/healthz")).json() == {"status": "ok"}
    assert (await api.http.get("/readyz")).status_code == 200
    api.missing = "no connection to RabbitMQ"
    answer = await api.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "no connection to RabbitMQ"})
    assert "etude_events_ingested_total 3.0" in (await api.http.get("/metrics")).text
    described = (await api.http.get("/openapi.json")).json()
    assert "/api/v1/experiments/{experiment_id}/learning-curves" in described["paths"]
