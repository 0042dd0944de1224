"""Looks of the page: Gradio's plain theme in the house's colours, system fonts only."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
BLUE, BRIGHT = "#0072b2", "#6cb8e6"  # the accent on light and on dark


def css() -> str:
    """The page's style sheet."""
    return (Path(__file__).parent / "web" / "page.css").read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """The theme, in light and dark."""
    base = gr.themes.Base(primary_hue="blue", neutral_hue="stone", font=list(FONT), font_mono=list(MONO))
    return base.set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#1a1c20",
        body_text_color="#1d1f22",
        body_text_color_dark="#eceae6",
        body_text_color_subdued="#595e66",
        body_text_color_subdued_dark="#a9aeb6",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1f2226",
        block_border_color="#d5d3cd",
        block_border_color_dark="#3a3f46",
        block_border_width="1px",
        block_radius="8px",
        block_label_background_fill="#ffffff",
        block_label_background_fill_dark="#1f2226",
        block_label_text_color="#595e66",
        block_label_text_color_dark="#a9aeb6",
        block_title_text_color="#1d1f22",
        block_title_text_color_dark="#eceae6",
        input_background_fill="#ffffff",
        input_background_fill_dark="#15171a",
        input_border_color="#d5d3cd",
        input_border_color_dark="#3a3f46",
        input_border_width="1px",
        button_primary_background_fill=BLUE,
        button_primary_background_fill_hover="#005c91",
        button_primary_background_fill_dark=BRIGHT,
        button_primary_background_fill_hover_dark="#8dcaef",
        button_primary_border_color="transparent",
        button_primary_border_color_dark="transparent",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#10151a",
        color_accent=BLUE,
        link_text_color=BLUE,
        link_text_color_dark=BRIGHT,
        layout_gap="16px",
    )
