<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;

/**
 * Which events a command is for: ids, and what the options ask of an event.
 */
final class Selection
{
    private const OPTIONS = [
        'name' => 'Only events of this name, or of names that fit a pattern such as order.*',
        'id' => 'Only the event of this id',
        'listener' => 'Only what failed in, or is for, the listener of this identity',
        'kind' => 'Only what failed so: thrown, unrecoverable, timed_out, ended, killed, listener_gone, no_listener, malformed ...',
        'text' => 'Only events whose params, as JSON, contain this text',
    ];

    /**
     * @param list<string> $ids
     * @param array<string, string> $filter
     * @param list<string> $options those that the command has
     */
    private function __construct(
        public readonly array $ids,
        public readonly array $filter,
        public readonly bool $all,
        private array $options
    ) {
    }

    /**
     * @param list<string> $names of the options
     */
    public static function declare(Command $command, array $names): void
    {
        foreach ($names as $name) {
            $command->addOption($name, null, InputOption::VALUE_REQUIRED, self::OPTIONS[$name]);
        }
    }

    /**
     * @param bool $hasIds whether the arguments are ids
     *
     * @throws InvalidArgument
     */
    public static function of(InputInterface $input, bool $hasIds = true): self
    {
        $filter = [];
        $options = array_values(array_filter(array_keys(self::OPTIONS), $input->hasOption(...)));
        foreach ($options as $name) {
            $value = $input->getOption($name);
            if ($value === '') {
                throw new InvalidArgument("--$name is empty: give what to look for");
            }
            if ($value !== null) {
                $filter[$name] = $value;
            }
        }
        $ids = $hasIds ? array_values(array_unique($input->getArgument('what'))) : [];
        if ($ids !== [] && isset($filter['id'])) {
            throw new InvalidArgument('--id: the ids are given already, as arguments');
        }
        if ($ids !== [] && $input->getOption('all')) {
            throw new InvalidArgument('--all: ids are given; leave out one of the two');
        }

        return new self($ids, $filter, $input->getOption('all'), $options);
    }

    /**
     * For what changes something: nothing said is not all.
     *
     * @throws InvalidArgument
     */
    public function required(string $verb): self
    {
        if ($this->ids === [] && $this->filter === [] && !$this->all) {
            $options = implode(', ', array_map(static fn (string $name) => "--$name", $this->options));
            throw new InvalidArgument("$verb: say which: ids, " . ($options === '' ? 'or --all' : "a filter ($options), or --all"));
        }

        return $this;
    }

    /**
     * For what is by filter alone.
     */
    public function filtered(string $verb, string $other): self
    {
        if ($this->filter === [] || $this->ids !== []) {
            throw new InvalidArgument("$verb: give a filter, such as --name=NAME or --text=TEXT; ids are for $other");
        }

        return $this;
    }

    /** Whether it is everything that there is. */
    public function isEverything(): bool
    {
        return $this->ids === [] && $this->filter === [];
    }

    /**
     * What the daemon is asked for, one after the other.
     *
     * @return list<array<string, string>>
     */
    public function filters(): array
    {
        return $this->ids === [] ? [$this->filter] : array_map(fn (string $id) => ['id' => $id] + $this->filter, $this->ids);
    }

    /**
     * The same by the id that is asked for, without what has none.
     *
     * @return array<string, array<string, string>>
     */
    public function byId(): array
    {
        return array_column(array_filter($this->filters(), static fn (array $filter) => isset($filter['id'])), null, 'id');
    }

    /** What is selected, in words. */
    public function words(string $of): string
    {
        if ($this->isEverything()) {
            return "all $of";
        }
        $parts = $this->ids === [] ? [] : [count($this->ids) === 1 ? "the id {$this->ids[0]}" : count($this->ids) . ' ids'];
        foreach ($this->filter as $name => $value) {
            $parts[] = "$name '$value'";
        }

        return "the $of with " . implode(' and ', $parts);
    }
}
