import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tl_course.errors import LessonError
from tl_course.notebooks.results import RECORD_MIME, record, records_of


def test_outside_a_notebook_a_record_is_one_printed_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    record(accuracy=np.float64(0.98765), n=np.int64(3), folder=Path("a/b"), loss=float("nan"), per_label={"bird": 0.5})
    assert capsys.readouterr().out == 'accuracy: 0.9877  n: 3  folder: a/b  loss: null  per_label: {"bird": 0.5}\n'


def test_what_is_not_json_is_refused_by_name():
    with pytest.raises(LessonError, match="record\\(model=…\\) got a object"):
        record(model=object())


def test_later_records_win():
    outputs = [[{"data": {RECORD_MIME: {"a": 1, "b": 1}}}], [{"text": "x"}, {"data": {RECORD_MIME: {"a": 2}}}]]
    notebook = {"cells": [{"source": "text"}, *({"outputs": output} for output in outputs)]}
    assert records_of(notebook) == {"a": 2, "b": 1}
    json.dumps(records_of(notebook))
