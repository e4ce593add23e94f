"""Who is it: features, nearest neighbours, and the cross-view identification tables.

`gaitkit.identify` names people, `gaitkit.evaluate` tells how often that is right; these are their
parts, functions on arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaitkit._lazy import lazy_names

if TYPE_CHECKING:
    from gaitkit.identification.calibration import Calibration as Calibration
    from gaitkit.identification.calibration import read_calibration as read_calibration
    from gaitkit.identification.crossview import CrossViewTable as CrossViewTable
    from gaitkit.identification.crossview import ViewMatches as ViewMatches
    from gaitkit.identification.crossview import cross_view_rates as cross_view_rates
    from gaitkit.identification.crossview import cross_view_table as cross_view_table
    from gaitkit.identification.crossview import match_views as match_views
    from gaitkit.identification.crossview import vote as vote
    from gaitkit.identification.evaluation import EvaluationResult as EvaluationResult
    from gaitkit.identification.evaluation import EvaluationResults as EvaluationResults
    from gaitkit.identification.evaluation import evaluate_vectors as evaluate_vectors
    from gaitkit.identification.features import FEATURES as FEATURES
    from gaitkit.identification.features import Feature as Feature
    from gaitkit.identification.features import LinearProjection as LinearProjection
    from gaitkit.identification.features import choose_components as choose_components
    from gaitkit.identification.features import feature_names as feature_names
    from gaitkit.identification.features import fit_lda as fit_lda
    from gaitkit.identification.features import fit_pca as fit_pca
    from gaitkit.identification.features import get_feature as get_feature
    from gaitkit.identification.features import pixels as pixels
    from gaitkit.identification.figures.bootstrap import Interval as Interval
    from gaitkit.identification.figures.numbers import Numbers as Numbers
    from gaitkit.identification.figures.paired import paired_difference as paired_difference
    from gaitkit.identification.figures.rates import average_precision as average_precision
    from gaitkit.identification.figures.rates import cumulative_matches as cumulative_matches
    from gaitkit.identification.figures.rates import equal_error_rate as equal_error_rate
    from gaitkit.identification.figures.rates import error_curve as error_curve
    from gaitkit.identification.figures.rates import identification_rate as identification_rate
    from gaitkit.identification.figures.rates import open_set_curve as open_set_curve
    from gaitkit.identification.figures.rates import rate_at as rate_at
    from gaitkit.identification.fusion import Fusion as Fusion
    from gaitkit.identification.fusion import fit_fusion as fit_fusion
    from gaitkit.identification.fusion import fuse as fuse
    from gaitkit.identification.gallery import Answer as Answer
    from gaitkit.identification.gallery import Candidate as Candidate
    from gaitkit.identification.gallery import Identification as Identification
    from gaitkit.identification.gallery import identify_vectors as identify_vectors
    from gaitkit.identification.matching import Matches as Matches
    from gaitkit.identification.matching import search as search
    from gaitkit.identification.metrics import METRICS as METRICS
    from gaitkit.identification.metrics import Metric as Metric
    from gaitkit.identification.metrics import get_metric as get_metric
    from gaitkit.identification.metrics import metric_names as metric_names
    from gaitkit.identification.published import PublishedMeans as PublishedMeans
    from gaitkit.identification.published import PublishedSystem as PublishedSystem
    from gaitkit.identification.published import published_means as published_means
    from gaitkit.identification.published import published_system as published_system
    from gaitkit.identification.published import published_systems as published_systems
    from gaitkit.identification.quality import QualityTable as QualityTable
    from gaitkit.identification.quality import translation_quality as translation_quality
    from gaitkit.identification.results import read_results as read_results
    from gaitkit.identification.results import write_results as write_results
    from gaitkit.identification.tables import cross_view_text as cross_view_text
    from gaitkit.identification.tables import results_text as results_text
else:
    __all__, __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "gaitkit.identification.calibration": ["Calibration", "read_calibration"],
            "gaitkit.identification.crossview": [
                "CrossViewTable",
                "ViewMatches",
                "cross_view_rates",
                "cross_view_table",
                "match_views",
                "vote",
            ],
            "gaitkit.identification.evaluation": [
                "EvaluationResult",
                "EvaluationResults",
                "evaluate_vectors",
            ],
            "gaitkit.identification.features": [
                "FEATURES",
                "Feature",
                "LinearProjection",
                "choose_components",
                "feature_names",
                "fit_lda",
                "fit_pca",
                "get_feature",
                "pixels",
            ],
            "gaitkit.identification.figures.bootstrap": ["Interval"],
            "gaitkit.identification.figures.numbers": ["Numbers"],
            "gaitkit.identification.figures.paired": ["paired_difference"],
            "gaitkit.identification.figures.rates": [
                "average_precision",
                "cumulative_matches",
                "equal_error_rate",
                "error_curve",
                "identification_rate",
                "open_set_curve",
                "rate_at",
            ],
            "gaitkit.identification.fusion": ["Fusion", "fit_fusion", "fuse"],
            "gaitkit.identification.gallery": [
                "Answer",
                "Candidate",
                "Identification",
                "identify_vectors",
            ],
            "gaitkit.identification.matching": ["Matches", "search"],
            "gaitkit.identification.metrics": ["METRICS", "Metric", "get_metric", "metric_names"],
            "gaitkit.identification.published": [
                "PublishedMeans",
                "PublishedSystem",
                "published_means",
                "published_system",
                "published_systems",
            ],
            "gaitkit.identification.quality": ["QualityTable", "translation_quality"],
            "gaitkit.identification.results": ["read_results", "write_results"],
            "gaitkit.identification.tables": ["cross_view_text", "results_text"],
        },
    )
