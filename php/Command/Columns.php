<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Symfony\Component\Console\Helper\Helper;

/**
 * A table that is printed page by page, and never held whole. The last column is cut to what the terminal has left.
 */
final class Columns
{
    private const GAP = 2;
    /** As much as the last column has at least, on however narrow a terminal. */
    private const LEAST = 20;

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
     */
    public function show(array $rows): void
    {
        $isFirst = $this->widths === [];
        $rows = array_map(static fn (array $row) => array_map(Screen::line(...), $row), $rows);
        foreach ([$this->headings, ...$rows] as $row) {
            foreach ($row as $place => $cell) {
                $this->widths[$place] = max($this->widths[$place] ?? 0, Helper::width($cell));
            }
        }
        if ($isFirst) {
            $this->screen->heading($this->line($this->headings));
        }
        foreach ($rows as $row) {
            $this->screen->say($this->line($row));
        }
    }

    /**
     * @param list<string> $row
     */
    private function line(array $row): string
    {
        $last = array_pop($row);
        $line = '';
        foreach ($row as $place => $cell) {
            $line .= $cell . str_repeat(' ', $this->widths[$place] + self::GAP - Helper::width($cell));
        }
        $width = $this->screen->width();
        if ($width !== null) {
            $last = self::cut($last, max(self::LEAST, $width - Helper::width($line)));
        }

        return rtrim($line . $last);
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
