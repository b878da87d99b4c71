<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Proletarier\Nearest;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * What failed, waiting and spool have in common: an action, what it is for, and how the answer is shown.
 *
 * Exit statuses: 0 done; 1 failed, the reason being on stderr; NOTHING where nothing matched.
 */
abstract class ActionCommand extends Command
{
    public const NOTHING = 2;

    protected const NAME = '';
    protected const DESCRIPTION = '';
    protected const HELP = '';
    /** What each action does; the first is the default. */
    protected const ACTIONS = [];
    protected const EXAMPLES = [];

    private const STATUSES = <<<'TEXT'
        <comment>Exit status:</comment>
          0  done
          1  failed; the reason is on stderr
          2  nothing matched: an id that is not there, a filter that nothing fits
        TEXT;

    /**
     * @param object $container the application's, with get() and has()
     */
    final public function __construct(protected object $container)
    {
        parent::__construct(static::NAME);
    }

    abstract protected function act(string $action, InputInterface $input, Screen $screen): int;

    protected function configure(): void
    {
        $actions = '';
        foreach (static::ACTIONS as $action => $what) {
            $actions .= sprintf("  <info>%-8s</info> %s\n", $action, $what);
        }
        $this
            ->setDescription(static::DESCRIPTION)
            ->setHelp(trim(static::HELP . "\n\n<comment>Actions:</comment>\n" . $actions . "\n" . self::STATUSES))
            ->addArgument('action', InputArgument::OPTIONAL, implode(', ', array_keys(static::ACTIONS)), array_key_first(static::ACTIONS))
            ->addArgument('what', InputArgument::IS_ARRAY, 'Ids of events; for export and import a file')
            ->addOption('all', 'a', InputOption::VALUE_NONE, 'All of them')
            ->addOption('limit', 'l', InputOption::VALUE_REQUIRED, 'How many at most; list: 100 unless --all is given')
            ->addOption('params', 'p', InputOption::VALUE_NONE, 'list: with the params, in JSON')
            ->addOption('json', 'j', InputOption::VALUE_NONE, 'For programs: a line of JSON for each')
            ->addOption('force', 'f', InputOption::VALUE_NONE, 'Do not ask');
        foreach (static::EXAMPLES as $example) {
            $this->addUsage($example);
        }
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $action = $input->getArgument('action');
        $actions = array_keys(static::ACTIONS);
        if (!in_array($action, $actions, true)) {
            $nearest = Nearest::of($action, $actions);
            throw new InvalidArgument(sprintf(
                "%s: there is no action '%s'%s Allowed: %s",
                static::NAME,
                $action,
                $nearest === null ? '.' : "; did you mean $nearest?",
                implode(', ', $actions)
            ));
        }

        return $this->act($action, $input, new Screen($input, $output));
    }
}
