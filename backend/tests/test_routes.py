from fastapi.testclient import TestClient


def test_health(client: TestClient) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.text == '{"status":"ok"}'


def test_nothing_is_connected_when_nothing_is_configured(client: TestClient) -> None:
    assert client.get("/services").json() == {"openai": False, "key_vault": False, "cosmos": False}


def test_a_note_can_be_read_back(client: TestClient) -> None:
    created = client.post("/notes", json={"text": "remember the milk"})
    assert created.status_code == 201
    note = created.json()
    assert note["text"] == "remember the milk"
    assert client.get(f"/notes/{note['id']}").json() == note


def test_the_newest_note_comes_first(client: TestClient) -> None:
    for text in ("one", "two", "three"):
        client.post("/notes", json={"text": text})
    notes = client.get("/notes", params={"limit": 2}).json()
    assert [note["text"] for note in notes] == ["three", "two"]


def test_an_unknown_note_is_not_found(client: TestClient) -> None:
    assert client.get("/notes/none").status_code == 404


def test_an_empty_note_is_refused(client: TestClient) -> None:
    assert client.post("/notes", json={"text": ""}).status_code == 422
