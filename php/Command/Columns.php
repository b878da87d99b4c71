<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Symfony\Component\Console\Helper\Helper;

/**
 * A table that is printed page by page, and never held whole. The last column is cut to what the terminal has left; where that is little,
 * it has a line of its own.
 */
final class Columns
{
    private const GAP = 2;
    /** As much as the last column has beside the others; with less it goes below. */
    private const LEAST = 40;
    private const INDENT = '    ';

    /** @var list<int> */
    private array $widths = [];

    /**
     * @param list<string> $headings
     */
    public function __construct(private Screen $screen, private array $headings)
    {
    }

    /**
     * @param list<list<string>> $rows
     * @param array<int, string> $below what else there is to a row, by its place: uncut on a terminal, elsewhere at the line's end
     */
    public function show(array $rows, array $below = []): void
    {
        $isFirst = $this->widths === [];
        $rows = array_map(static fn (array $row) => array_map(Screen::line(...), $row), $rows);
        foreach ([$this->headings, ...$rows] as $row) {
            foreach ($row as $place => $cell) {
                $this->widths[$place] = max($this->widths[$place] ?? 0, Helper::width($cell));
            }
        }
        if ($isFirst) {
            $this->screen->heading(implode("\n", $this->lines($this->headings)));
        }
        foreach ($rows as $place => $row) {
            $lines = $this->lines($row);
            $more = isset($below[$place]) ? Screen::line($below[$place]) : '';
            if ($more !== '' && $this->screen->width() !== null) {
                $lines[] = self::INDENT . $more;
            }
            $this->screen->say(implode("\n", $lines) . ($more !== '' && $this->screen->width() === null ? "  $more" : ''));
        }
    }

    /**
     * @param list<string> $row
     *
     * @return list<string>
     */
    private function lines(array $row): array
    {
        $last = array_pop($row);
        $line = '';
        foreach ($row as $place => $cell) {
            $line .= $cell . str_repeat(' ', $this->widths[$place] + self::GAP - Helper::width($cell));
        }
        $width = $this->screen->width();
        $left = $width === null ? PHP_INT_MAX : $width - Helper::width($line);
        if (Helper::width($last) <= $left || $left >= self::LEAST) {
            return [rtrim($line . self::cut($last, $left))];
        }

        return [rtrim($line), self::INDENT . self::cut($last, max(self::LEAST, $width) - strlen(self::INDENT))];
    }

    private static function cut(string $text, int $width): string
    {
        if (Helper::width($text) <= $width) {
            return $text;
        }
        $text = Helper::substr($text, 0, $width - 1);
        while (Helper::width($text) >= $width) {
            $text = Helper::substr($text, 0, -1);
        }

        return $text . '…';
    }
}
