<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\Configuration;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * What run, broker and worker have in common: they run a daemon of the application's services until it ends, with its exit status.
 */
abstract class DaemonCommand extends Command
{
    protected const NAME = '';
    protected const DESCRIPTION = '';
    protected const SERVICE = '';
    protected const HAS_WORKERS = true;

    /**
     * @param object $container the application's, with get() and has()
     */
    final public function __construct(private object $container)
    {
        parent::__construct(static::NAME);
    }

    protected function configure(): void
    {
        $this->setDescription(static::DESCRIPTION);
        if (static::HAS_WORKERS) {
            $this->addOption('workers', 'w', InputOption::VALUE_REQUIRED, 'How many workers, in place of worker.pool_size');
        }
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $workers = static::HAS_WORKERS ? $input->getOption('workers') : null;
        if ($workers !== null) {
            $workers = filter_var($workers, FILTER_VALIDATE_INT, ['options' => ['min_range' => 1]])
                ?: throw new Configuration(sprintf("--workers: '%s' is not allowed: give an integer, 1 or more", $workers));
        }

        return $this->container->get(static::SERVICE)->run($workers);
    }
}
