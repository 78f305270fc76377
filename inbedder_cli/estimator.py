"""`InBedder`: the pipeline as a scikit-learn estimator over texts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from inbedder_cli.clustering.preprocess import normalize
from inbedder_cli.corpus import Corpus, read_corpus
from inbedder_cli.diagnostics.doubts import doubts_about
from inbedder_cli.embeddings import RowStatus
from inbedder_cli.encoders import load_encoder
from inbedder_cli.errors import InputError, ModelError, UsageError
from inbedder_cli.estimator_options import fit_options
from inbedder_cli.fitted import (
    Fit,
    answers_of,
    as_objects,
    centers_of,
    confidence_of,
    labels_of,
    names_of,
    saved_labels,
)
from inbedder_cli.output.frames import clusters_frame, with_index
from inbedder_cli.pipeline import analyze
from inbedder_cli.progress import SILENT, ConsoleReporter
from inbedder_cli.python_terms import ESTIMATOR_NAMES, python_terms, with_python_terms
from inbedder_cli.runs.assignment import assign_rows, encode_like
from inbedder_cli.runs.saved_clusters import cluster_summaries
from inbedder_cli.runs.saved_run import SavedQuestion, estimator_parameters, load_run
from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from inbedder_cli.embeddings import Embeddings
    from inbedder_cli.encoders import Encoder
    from inbedder_cli.progress import Reporter
    from inbedder_cli.results import ClusteringResult


@with_python_terms(ESTIMATOR_NAMES)
class InBedder(TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Cluster texts by their answers to a question, as a scikit-learn estimator.

    Texts are given as a list, a numpy array, a pandas Series or DataFrame, an Arrow table, a path, or a `Corpus`.
    Methods return numpy arrays; for pandas input, a Series (of vectors: a DataFrame) with the index of the input.

    :param instruction: the question to ask about each text.
    :param n_clusters: number of clusters, or "auto" to select it between `k_min` and `k_max`. Not for hdbscan.
    :param algorithm: kmeans, hdbscan, or a registered one.
    :param model: a bundled name, a folder, a GGUF file, or a Hugging Face id with an optional @revision; or an
        `Encoder`; None takes the default, see `load_encoder`.
    :param text: text column, or columns, of a DataFrame, table or file; None: detected.
    :param text_template: pattern of the texts such as "{title}. {body}", instead of `text`.
    :param empty: what to do with rows without text: skip, keep or fail.
    :param k_min: smallest number of clusters that "auto" tries.
    :param k_max: largest number of clusters that "auto" tries.
    :param min_cluster_size: smallest cluster (hdbscan), in rows; None: 2 % of the rows, at least 5.
    :param flag_unanswered: whether rows that do not answer the question are kept out of the clusters.
    :param min_confidence: answers below this confidence, 0 to 1, count as unanswered.
    :param multi: whether a text may have several answers, and then is in several clusters.
    :param baseline: whether some rows (150 on a CPU, 500 on a GPU) are also encoded under a neutral question.
    :param stability: whether the stability of each cluster and row is measured.
    :param consensus: whether KMeans starts from the consensus of many runs.
    :param stop_words: words to leave out of labels, a file of them, "none", or None for English ones.
    :param exemplars: example rows kept for each cluster.
    :param pooling: which hidden states become the vector; None: the model's own.
    :param layer: index into the hidden states; None: the model's own.
    :param max_tokens: maximum length of a prompt, in tokens; longer texts are truncated.
    :param max_answer_tokens: maximum length of an answer, in tokens.
    :param template: prompt template; None: the model's own.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: auto, float32, bfloat16 or float16.
    :param workers: number of processes that encode; None chooses it on a CPU, and takes one on a GPU.
    :param devices: GPUs that encode with a process each: "cuda:0,cuda:1"; None for one device.
    :param offline: never use the network.
    :param cache: whether encoded rows are stored in the cache and reused.
    :param random_state: seed of every random choice: an integer; a `numpy.random.RandomState`, or None for numpy's
        own, of which each fit draws a seed (`result_.clustering.options.seed`).
    :param verbose: whether progress and warnings are printed to standard error; a notebook shows progress bars.
    :param reporter: receives progress and warnings instead (`inbedder_cli.progress.Reporter`).

    Attributes of a fitted estimator:

    - `labels_`: int64, shape (n_rows,): each row's cluster, -1 for noise and for rows without text, vector or
      answer;
      with `multi` int64, shape (n_rows, n_clusters): 1 where a row is in a cluster, as scikit-learn has multilabel
      targets; then `labels_`, `status_`, `answers_` and `confidence_` are not there after `load`;
    - `status_`: each row's `RowStatus` as a text, which distinguishes these;
    - `answers_`: object, shape (n_rows,): each row's answer, None for rows without one; with `multi` lists;
    - `confidence_`: float32, shape (n_rows,): how sure the answers are, 0 to 1, NaN for rows without one;
    - `n_clusters_`: the number of clusters;
    - `cluster_names_`: the names of the clusters, by number;
    - `cluster_centers_`: float32, shape (n_clusters, n_features), of unit length, in the space of `transform`
      (KMeans only);
    - `clusters_`: a pandas DataFrame, one row per cluster; cells of several values hold lists;
    - `result_`: the `ClusteringResult` (not after `load`, which has no vectors).
    """

    def __init__(
        self,
        instruction: str,
        *,
        n_clusters: int | str = "auto",
        algorithm: str = "kmeans",
        model: str | Path | Encoder | None = None,
        text: str | list[str] | None = None,
        text_template: str | None = None,
        empty: str = "skip",
        k_min: int = 2,
        k_max: int = 20,
        min_cluster_size: int | None = None,
        flag_unanswered: bool = True,
        min_confidence: float = 0.1,
        multi: bool = False,
        baseline: bool = True,
        stability: bool = True,
        consensus: bool = True,
        stop_words: str | list[str] | None = None,
        exemplars: int = 3,
        pooling: str | None = None,
        layer: int | None = None,
        max_tokens: int = 512,
        max_answer_tokens: int = 8,
        template: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        workers: int | None = None,
        devices: str | None = None,
        offline: bool = False,
        cache: bool = True,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool = False,
        reporter: Reporter | None = None,
    ) -> None:
        self.instruction = instruction
        self.n_clusters = n_clusters
        self.algorithm = algorithm
        self.model = model
        self.text = text
        self.text_template = text_template
        self.empty = empty
        self.k_min = k_min
        self.k_max = k_max
        self.min_cluster_size = min_cluster_size
        self.flag_unanswered = flag_unanswered
        self.min_confidence = min_confidence
        self.multi = multi
        self.baseline = baseline
        self.stability = stability
        self.consensus = consensus
        self.stop_words = stop_words
        self.exemplars = exemplars
        self.pooling = pooling
        self.layer = layer
        self.max_tokens = max_tokens
        self.max_answer_tokens = max_answer_tokens
        self.template = template
        self.device = device
        self.dtype = dtype
        self.workers = workers
        self.devices = devices
        self.offline = offline
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose
        self.reporter = reporter

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ANN401
        """Encode the texts under the question, cluster them, and explain the clusters.

        :param X: texts, n_rows of them.
        :param y: ignored.
        :return: the estimator.
        :raises InbedderError: see `analyze`.
        """
        options = fit_options(self.get_params(deep=False), type(self).__init__.__annotations__)
        source, corpus = self._encoder_source(), self._corpus(X, require_text=True)
        encoder = self._load_encoder(source)
        analysis = analyze(corpus, encoder=encoder, reporter=self._reporter(), **vars(options))
        self.result_: ClusteringResult = analysis.result
        for doubt in doubts_about(self.result_.embeddings, self.max_tokens):
            self._reporter().warn(doubt)
        self._warn_of_failed(self.result_.embeddings)
        if not self.result_.rows:
            self._reporter().warn("no text answers the question, so there are no clusters")
        self._set_fit(Fit(SavedQuestion.of(self.result_), options.encode_options, source, encoder.identity))
        self.labels_ = labels_of(self.result_, self.cluster_names_)
        self.status_ = np.array([str(status) for status in self.result_.row_status])
        self.answers_, self.confidence_ = answers_of(self.result_), confidence_of(self.result_)
        self.clusters_: pd.DataFrame = self.result_.clusters_frame()
        return self

    def fit_predict(self, X: Any, y: object = None, **_: object) -> Any:  # noqa: ANN401
        """Fit, and return `labels_`.

        :param X: texts, n_rows of them.
        :param y: ignored.
        :return: int64, shape (n_rows,), with `multi` (n_rows, n_clusters); a Series, or a DataFrame, with the
            index of X if X is a pandas object.
        """
        self.fit(X, y)
        return self._labeled(self.labels_, self.result_.row_corpus)

    def fit_transform(self, X: Any, y: object = None, **_: object) -> Any:  # noqa: ANN401
        """Fit, and return the vectors of the texts; see `transform`.

        :param X: texts, n_rows of them.
        :param y: ignored.
        :return: float32, shape (n_rows, n_features).
        """
        self._check_one_vector(multi=self.multi)
        self.fit(X, y)
        return self._points(self.result_.embeddings, self.result_.corpus)

    def predict(self, X: Any) -> Any:  # noqa: ANN401
        """Return the clusters of new texts, -1 for those without text, without an answer, or noise.

        :param X: texts, n_rows of them.
        :return: as `fit_predict` returns them.
        """
        check_is_fitted(self)
        corpus, question = self._corpus(X), self._fit.question
        result, _ = assign_rows(corpus, question, self._embed(corpus, question))
        return self._labeled(labels_of(result, self.cluster_names_), corpus)

    def transform(self, X: Any) -> Any:  # noqa: ANN401
        """Return the vectors of texts, less the mean of the fitted vectors and scaled to unit length.

        :param X: texts, n_rows of them.
        :return: float32, shape (n_rows, n_features), NaN for rows that are not read; a DataFrame with the index of
            X if X is a pandas object.
        :raises UsageError: with `multi`.
        """
        check_is_fitted(self)
        self._check_one_vector(multi=self._fit.question.words is not None)
        corpus = self._corpus(X)
        return self._points(self._embed(corpus, self._fit.question), corpus)

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Save the run for `InBedder.load` and for `inbedder assign`, as `inbedder cluster --save` does.

        :param folder: the folder to create; its parent must exist.
        :param force: replace an existing run.
        :raises UsageError: after `load`, for an existing folder, or an encoder that was not loaded by name.
        """
        check_is_fitted(self)
        if not hasattr(self, "result_"):
            raise UsageError("this estimator was loaded from a saved run", hint="copy its folder instead")
        self.result_.save(folder, force=force)

    @classmethod
    def load(cls, folder: str | Path, *, question: str | None = None, **runtime: Any) -> Self:  # noqa: ANN401
        """Return the estimator of a saved run, ready to `predict` and `transform`.

        What only `fit` needs and a run does not hold is the default: baseline, exemplars, stop_words.

        :param folder: the folder of the run; the renames and merges of its names.txt apply.
        :param question: the name of the question, for a run of several.
        :param **runtime: parameters that may differ from machine to machine: device, workers,
            devices, offline, cache, verbose, reporter.
        :raises InputError: for a folder without a run, or a damaged run.
        :raises UsageError: for an unknown question, or if a run of several questions needs one.
        """
        run = load_run(folder)
        name = run.question_name(question)
        saved = run.questions[name]
        estimator = cls(saved.instruction, **estimator_parameters(run, saved), **runtime)
        estimator._set_fit(Fit(saved, run.encode_options, estimator._encoder_source(), run.model.identity))
        if saved.words is None:  # otherwise the run holds a line for each answer
            rows = run.rows(name)
            estimator.labels_ = saved_labels(saved.merged.get(row["cluster"], row["cluster"]) for row in rows)
            estimator.status_ = np.array([row["status"] for row in rows])
            estimator.answers_ = as_objects([row["answer"] for row in rows])
            estimator.confidence_ = np.array([row["confidence"] for row in rows], np.float32)
        estimator.clusters_ = clusters_frame({"": cluster_summaries(run, name)})
        return estimator

    def _set_fit(self, fit: Fit) -> None:
        self._fit = fit
        self.cluster_names_ = names_of(fit.question)
        self.n_clusters_ = len(self.cluster_names_)
        self.__dict__.pop("cluster_centers_", None)  # of an earlier fit
        if (centers := centers_of(fit.question)) is not None:
            self.cluster_centers_ = centers

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether the estimator is fitted or loaded."""
        return hasattr(self, "_fit")

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns of `transform`: inbedder0, inbedder1, ...

        :param input_features: ignored.
        :return: shape (n_features,).
        """
        check_is_fitted(self)
        return np.array([f"inbedder{i}" for i in range(len(self._fit.question.predictor.mean))], dtype=object)

    def _corpus(self, texts: Any, *, require_text: bool = False) -> Corpus:  # noqa: ANN401
        if isinstance(texts, Corpus):
            return texts
        if isinstance(texts, str) and texts != "-" and not os.path.exists(texts):  # noqa: PTH110
            raise InputError(f'there is no file "{texts}"', hint='for a single text, pass a list: ["..."]')
        has_columns = isinstance(texts, (str, Path)) or hasattr(texts, "columns") or hasattr(texts, "column_names")
        text, template = (self.text, self.text_template) if has_columns else (None, None)
        return read_corpus(texts, text=text, text_template=template, empty=self.empty, require_text=require_text)

    def _encoder_source(self) -> Encoder | dict[str, Any]:
        """Return the encoder, or what `load_encoder` needs."""
        if self.model is not None and not isinstance(self.model, (str, Path)):
            if not hasattr(self.model, "encode"):
                raise UsageError(f"model must be a name, a folder or an Encoder, not {self.model!r}")
            return self.model
        names = ("model", "template", "device", "dtype", "workers", "devices", "offline", "cache")
        return {name: getattr(self, name) for name in names}

    def _reporter(self) -> Reporter:
        return self.reporter or (ConsoleReporter(wording=python_terms) if self.verbose else SILENT)

    def _load_encoder(self, source: Encoder | dict[str, Any]) -> Encoder:
        """Return the encoder; it is loaded again only if its parameters have changed."""
        if not isinstance(source, dict):
            return source
        if getattr(self, "_loaded_from", None) != source:
            self._encoder, self._loaded_from = load_encoder(**source, reporter=self._reporter()), source
        return self._encoder

    def _embed(self, corpus: Corpus, question: SavedQuestion) -> Embeddings:
        """Encode new rows as the fitted ones were, whatever `set_params` has changed since."""
        fit = self._fit
        encoder = self._load_encoder(fit.source)
        if encoder.identity != fit.identity:
            raise ModelError(
                f"{encoder.name} is not the model that made these clusters",
                hint="restore that model, or fit again",
            )
        embeddings = encode_like(question, corpus, encoder, fit.encode_options, self._reporter())
        self._warn_of_failed(embeddings)
        return embeddings

    def _warn_of_failed(self, embeddings: Embeddings) -> None:
        if n := embeddings.status.count(RowStatus.failed):
            rows = count_of(n, "row")
            self._reporter().warn(f"{rows} without a finite vector (status failed); try dtype='float32'")

    def _labeled(self, labels: npt.NDArray[np.int64], corpus: Corpus) -> Any:  # noqa: ANN401
        return with_index(labels, corpus, [self.cluster_names_[n] for n in sorted(self.cluster_names_)])

    def _check_one_vector(self, *, multi: bool) -> None:
        if multi:
            raise UsageError(
                "with multi a text has no single vector", hint="result_.embeddings has one per answer"
            )

    def _points(self, embeddings: Embeddings, corpus: Corpus) -> Any:  # noqa: ANN401
        vectors = np.full_like(embeddings.vectors, np.nan)
        finite = np.isfinite(embeddings.vectors).all(axis=1)
        vectors[finite] = normalize(embeddings.vectors[finite], self._fit.question.predictor.mean)
        return with_index(vectors, corpus)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_encoder", "_loaded_from")}
