<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Symfony\Component\Console\Input\InputInterface;

/**
 * The actions list and show: pages of what there is, as a table or as lines of JSON, and one event whole.
 */
final class Listing
{
    /** What a list shows where nothing else is said. */
    private const LIMIT = 100;

    /**
     * @param string $noun of what is listed, in the plural
     */
    public function __construct(private Screen $screen, private string $noun)
    {
    }

    /**
     * How many were asked for.
     *
     * @throws InvalidArgument
     */
    public static function limit(InputInterface $input, ?int $default = self::LIMIT): ?int
    {
        $limit = $input->getOption('limit');
        if ($limit === null) {
            return $input->getOption('all') && $default !== null ? PHP_INT_MAX : $default;
        }

        return filter_var($limit, FILTER_VALIDATE_INT, ['options' => ['min_range' => 1]])
            ?: throw new InvalidArgument("--limit: '$limit' is not allowed: give an integer, 1 or more");
    }

    /**
     * @param iterable<\Generator<int, list<array<string, mixed>>, void, bool>> $searches each the pages that fit; returning whether there are more
     * @param list<string> $headings
     * @param \Closure(array<string, mixed>): list<string> $row
     * @param bool $expected whether something was asked for in particular, so that finding nothing is an answer of its own
     */
    public function list(iterable $searches, array $headings, \Closure $row, bool $json, bool $expected): int
    {
        $columns = new Columns($this->screen, $headings);
        [$count, $more, $rows, $params] = [0, false, [], []];
        foreach ($searches as $pages) {
            foreach ($pages as $page) {
                $count += count($page);
                if ($json) {
                    array_walk($page, fn (array $item) => $this->screen->json($item));
                    continue;
                }
                foreach ($page as $item) {
                    if (array_key_exists('params', $item)) {
                        $params[count($rows)] = Screen::encoded($item['params']);
                    }
                    $rows[] = $row($item);
                }
                // A filter that fits little makes small pages, and each would have widths of its own.
                if (count($rows) >= self::LIMIT) {
                    $columns->show($rows, $params);
                    [$rows, $params] = [[], []];
                }
            }
            $more = $pages->getReturn() || $more;
        }
        if ($rows !== []) {
            $columns->show($rows, $params);
        }
        if ($more) {
            $this->screen->note("There may be more than these $count: --limit=N or --all shows them.");
        }
        if ($count === 0) {
            $this->screen->note($expected ? "No {$this->noun} match." : "There are no {$this->noun}.");
        }

        return $count === 0 && $expected ? ActionCommand::NOTHING : 0;
    }

    /**
     * @param array<string, \Generator<int, list<array<string, mixed>>, void, bool>> $searches the pages by id
     * @param \Closure(array<string, mixed>, Screen): void $show
     */
    public function show(array $searches, \Closure $show, bool $json): int
    {
        if ($searches === []) {
            throw new InvalidArgument('show: give the id of an event');
        }
        $status = 0;
        foreach ($searches as $id => $pages) {
            $found = false;
            foreach ($pages as $page) {
                $found = true;
                foreach ($page as $item) {
                    $json ? $this->screen->json($item) : $show($item, $this->screen);
                }
            }
            if (!$found) {
                $this->screen->note("None of the {$this->noun} has the id $id.");
                $status = ActionCommand::NOTHING;
            }
        }

        return $status;
    }
}
