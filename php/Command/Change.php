<?php

declare(strict_types=1);

namespace Proletarier\Command;

/**
 * The actions that change something in the daemon's store: to all that is selected, or to the first of them.
 */
final class Change
{
    /**
     * @param string $list the request that lists them, and the key of its answer
     */
    public function __construct(
        private Requests $requests,
        private Screen $screen,
        private string $list,
        private string $key
    ) {
    }

    /**
     * @param string $command the request
     * @param int|null $limit how many at most; null: all
     * @param int $all how many there are, where that is known; 0: unknown
     *
     * @return array{done: int, running: int, missing: list<string>} the last: ids that fit nothing
     */
    public function make(string $command, Selection $selection, ?int $limit, int $all): array
    {
        [$done, $running, $missing] = [0, 0, []];
        $progress = $this->screen->progress($all);
        foreach ($selection->filters() as $filter) {
            $before = $done;
            $result = $limit === null
                ? $this->requests->each($command, $filter, static fn (int $so) => $progress($before + $so))
                : $this->first($command, $filter, $limit - $done, static fn (int $so) => $progress($before + $so));
            $done += $result['done'];
            $running += $result['running'];
            if (isset($filter['id']) && $result['done'] + $result['running'] === 0) {
                $missing[] = $filter['id'];
            }
            if ($done === $limit) {
                break;
            }
        }
        $progress(null);

        return ['done' => $done, 'running' => $running, 'missing' => $missing];
    }

    /**
     * @param array<string, string> $filter
     * @param \Closure(int): void $progress
     *
     * @return array{done: int, running: int}
     */
    private function first(string $command, array $filter, int $limit, \Closure $progress): array
    {
        $sum = ['done' => 0, 'running' => 0];
        foreach ($this->requests->pages($this->list, $this->key, $filter, $limit) as $page) {
            $result = $this->requests->these($command, array_column($page, 'cursor'));
            $sum = ['done' => $sum['done'] + $result['done'], 'running' => $sum['running'] + $result['running']];
            $progress($sum['done']);
        }

        return $sum;
    }

    /**
     * Tells what was done, and gives the exit status.
     *
     * @param array{done: int, running: int, missing: list<string>} $result
     * @param string $verb what became of them, such as "discarded"
     * @param array{string, string} $nouns one and several
     */
    public static function tell(Screen $screen, array $result, string $verb, array $nouns, bool $json): int
    {
        if ($json) {
            $screen->json($result);
        } else {
            $screen->say(sprintf('%s %s %s.', number_format($result['done']), $nouns[$result['done'] === 1 ? 0 : 1], $verb));
        }
        if ($result['running'] > 0) {
            $screen->note(
                number_format($result['running']) . ($result['running'] === 1 ? ' is' : ' are') . ' with a worker, and can only finish.'
            );
        }
        foreach ($result['missing'] as $id) {
            $screen->note("None of the {$nouns[1]} has the id $id.");
        }

        return match (true) {
            $result['missing'] !== [] => ActionCommand::NOTHING,
            $result['done'] > 0 => 0,
            $result['running'] > 0 => 1,
            default => ActionCommand::NOTHING,
        };
    }
}
